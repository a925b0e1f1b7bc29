//! A reference to browse: a page of Markdown an API, and a page with a search box over all of them.

use std::{collections::HashSet, fmt::Write as _};

use serde_json::{Value as Json, json};
use sesame_catalog::{Api, Param};

use crate::types::as_param;

/// The pages of a reference, as they are made.
#[derive(Debug, Default)]
pub struct Reference {
    taken: HashSet<String>,
    rows: Vec<Json>,
}

impl Reference {
    /// Adds an API, and returns the path of its page, below the folder of the reference, and the page.
    pub fn page(&mut self, api: &Api) -> (String, String) {
        let path = self.path(api);
        let title = api.title.as_deref().unwrap_or_default();
        let zh = api.title_zh.as_deref().unwrap_or_default();
        self.rows.push(json!([api.platform, api.name, title, zh, path]));
        (path, page(api))
    }

    /// Returns the page with the search box. It needs no server.
    pub fn index(&self) -> String {
        // `</` would end the script.
        let rows = Json::Array(self.rows.clone()).to_string().replace("</", "<\\/");
        INDEX.replace("ROWS", &rows)
    }

    fn path(&mut self, api: &Api) -> String {
        let version = if api.version > 1 { format!("-{}", api.version) } else { String::new() };
        let name = format!("{}{version}", api.name.trim_matches('/'));
        let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') { c } else { '-' };
        let stem: String = name.chars().map(safe).collect();
        let mut path = format!("{}/{stem}.md", api.platform);
        let mut nth = 1;
        // Some systems do not tell large letters from small ones.
        while !self.taken.insert(path.to_ascii_lowercase()) {
            nth += 1;
            path = format!("{}/{stem}-{nth}.md", api.platform);
        }
        path
    }
}

fn page(api: &Api) -> String {
    let mut out = format!("# {}\n", plain(&api.name));
    let mut line = |text: &str| {
        let _ = writeln!(out, "\n{text}");
    };
    for text in [&api.title, &api.title_zh, &api.about, &api.about_zh].into_iter().flatten() {
        line(&plain(text));
    }
    let mut facts =
        vec![format!("* Platform: {}", api.platform), format!("* Safety: {}", api.safety.as_str())];
    let token = api.auth.map(|auth| if auth { "needed" } else { "not needed" });
    let aliases = (!api.aliases.is_empty()).then(|| api.aliases.join(", "));
    for (name, text) in [
        ("Token", token.map(str::to_owned)),
        ("Group", api.group.clone()),
        ("Also called", aliases),
        ("Dates", api.dates.clone()),
        ("Quota", api.quota.clone()),
    ] {
        facts.extend(text.map(|text| format!("* {name}: {}", plain(&text))));
    }
    line(&facts.join("\n"));
    if !api.params.is_empty() {
        line("## Parameters\n\n| name | type | required | meaning |\n|---|---|---|---|");
        out.truncate(out.trim_end().len());
        out.push('\n');
        api.params.iter().for_each(|param| row(&mut out, param, "", true));
    }
    if !api.response.is_empty() {
        out.push_str("\n## Reply\n\n| name | type | meaning |\n|---|---|---|\n");
        api.response.iter().map(as_param).for_each(|field| row(&mut out, &field, "", false));
    }
    let told: Vec<_> =
        api.errors.iter().filter(|note| !note.says.is_empty() || !note.advice.is_empty()).collect();
    if !told.is_empty() {
        out.push_str("\n## Errors\n\n| code | meaning | what to do |\n|---|---|---|\n");
        for note in told {
            let _ =
                writeln!(out, "| {} | {} | {} |", plain(&note.code), plain(&note.says), plain(&note.advice));
        }
    }
    if !api.notes.is_empty() {
        out.push_str("\n## Notes\n\n");
        for note in &api.notes {
            let _ = writeln!(out, "* {}", plain(note));
        }
    }
    let example = Json::Object(api.example_arguments());
    for (title, sample) in [("Example", Some(&example)), ("Sample reply", api.reply.as_ref())] {
        let Some(text) = sample.and_then(|sample| serde_json::to_string_pretty(sample).ok()) else {
            continue;
        };
        let _ = writeln!(out, "\n## {title}\n\n```json\n{text}\n```");
    }
    out
}

/// Members follow their object, with its name in front.
fn row(out: &mut String, param: &Param, above: &str, with_required: bool) {
    let name = format!("{above}{}", param.name);
    let list = if param.list { "[]" } else { "" };
    let kind = serde_json::to_value(param.kind).unwrap_or_default();
    let kind = kind.as_str().unwrap_or_default();
    let required = param.required.map_or("", |required| if required { "yes" } else { "no" });
    let mut meaning: Vec<String> = param.note.iter().map(|note| plain(note)).collect();
    if with_required && !param.values.is_empty() {
        let values: Vec<String> =
            param.values.iter().map(|value| format!("`{}`", plain(&value.to_string()))).collect();
        meaning.push(format!("Values: {}.", values.join(", ")));
    }
    for (word, limit) in [
        ("longest", param.max_len.map(|limit| limit.to_string())),
        ("smallest", param.min.map(|limit| limit.to_string())),
        ("largest", param.max.map(|limit| limit.to_string())),
        ("most items", param.max_items.map(|limit| limit.to_string())),
    ] {
        meaning.extend(limit.map(|limit| format!("{word}: {limit}.")));
    }
    let required = if with_required { format!(" {required} |") } else { String::new() };
    let _ = writeln!(out, "| {} | {kind}{list} |{required} {} |", plain(&name), meaning.join(" "));
    for child in &param.children {
        row(out, child, &format!("{name}."), with_required);
    }
}

/// A text on one line that means nothing to Markdown or HTML.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.split_whitespace().collect::<Vec<_>>().join(" ").chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' => out.extend(['\\', c]),
            other => out.push(other),
        }
    }
    out
}

const INDEX: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>APIs</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
input { font: inherit; width: 100%; padding: .5rem; box-sizing: border-box; }
td { padding: .2rem 1rem .2rem 0; vertical-align: top; }
</style>
</head>
<body>
<h1>APIs</h1>
<input id="words" type="search" placeholder="Words of a name or a title" aria-label="Search" autofocus>
<p id="count"></p>
<table id="found"></table>
<script>
const rows = ROWS;
const words = document.getElementById("words");
function show() {
  const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = rows.filter(row => {
    const text = row.slice(0, 4).join(" ").toLowerCase();
    return wanted.every(word => text.includes(word));
  });
  document.getElementById("count").textContent = found.length + " APIs";
  const table = document.getElementById("found");
  table.replaceChildren(...found.slice(0, 200).map(([platform, name, title, zh, path]) => {
    const line = document.createElement("tr");
    const link = document.createElement("a");
    link.href = path;
    link.textContent = name;
    const cells = [platform, link, title || zh].map(content => {
      const cell = document.createElement("td");
      cell.append(content);
      return cell;
    });
    line.append(...cells);
    return line;
  }));
}
words.addEventListener("input", show);
show();
</script>
</body>
</html>
"#;
