// What every Node driver shares: the facts the runner handed over, and TAP on stdout.
'use strict'

const handed = JSON.parse(process.env.SESAME_INTEROP)
const codes = handed.codes[Symbol.iterator]()
const checks = []

/** Registers a check; checks run one after the other, in the order they are written in. */
const check = (title, action) => checks.push([title, action])

/** Returns an authorization code that nobody has used yet. */
const freshCode = () => codes.next().value

/** Returns what stands at a dotted path, or fails naming the step that is not there. */
const at = (document, path) =>
  path.split('.').reduce((here, step) => {
    if (here === null || typeof here !== 'object' || !(step in here)) {
      throw new Error(`no ${step} (of ${path}) in ${JSON.stringify(document).slice(0, 600)}`)
    }
    return here[step]
  }, document)

/** Returns a list that stands at a dotted path and is not empty. */
const rows = (document, path) => {
  const found = at(document, path)
  if (!Array.isArray(found) || found.length === 0) throw new Error(`${path} is ${JSON.stringify(found)}`)
  return found
}

/** Waits for an action that must be refused, and returns what it was refused with. */
const refused = async (action) => {
  let answer
  try {
    answer = await action()
  } catch (error) {
    return error
  }
  throw new Error(`was not refused: ${JSON.stringify(answer)}`)
}

const run = async () => {
  console.log(`1..${checks.length}`)
  for (const [index, [title, action]] of checks.entries()) {
    try {
      await action()
      console.log(`ok ${index + 1} - ${title}`)
    } catch (error) {
      console.error(error)
      const words = String(error?.message ?? JSON.stringify(error)).replace(/\s+/g, ' ')
      console.log(`not ok ${index + 1} - ${title}: ${words.slice(0, 900)}`)
    }
  }
}

module.exports = { handed, app: handed.app, check, freshCode, at, rows, refused, run }
