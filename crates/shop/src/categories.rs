//! The tree of categories, kept on disk: it is large, and changes seldom.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json, value::RawValue};
use sesame_core::{Error, ErrorKind, Result, path};

use crate::{Fields, Shop, at_once::at_once};

/// The category above the top ones.
pub const TOP: &str = "0";
/// The calls that are under way at the same time.
const AT_ONCE: usize = 8;
/// The largest file that is read.
const LARGEST: u64 = 256 << 20;
/// The deepest tree that is walked.
const DEEPEST: usize = 32;

/// A category.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Category {
    /// The id.
    pub id: String,
    /// The name.
    pub name: String,
    /// The name in the language of the country.
    pub local_name: String,
    /// How far below the top it is, from 1; empty where the platform does not say.
    pub level: String,
    /// `true` if products can be in it.
    pub leaf: String,
    /// The category above it; `0` for the top ones.
    pub parent: String,
}

/// An attribute of the products of a category.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Attribute {
    /// The id.
    pub id: String,
    /// The name.
    pub name: String,
    /// Whether it has to be given, in the platform's word.
    pub required: String,
    /// The values that it may have, where they are listed.
    pub values: Vec<AttributeValue>,
    /// The attribute as the platform sent it.
    pub raw: Box<RawValue>,
}

/// A value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AttributeValue {
    /// The id.
    pub id: String,
    /// The name.
    pub name: String,
}

/// The tree of categories of a shop's platform. What was fetched once stands in a file below a folder, for
/// all shops of the platform, and is not asked for again.
#[derive(Debug)]
pub struct Categories {
    shop: Shop,
    fields: Arc<Fields>,
    path: PathBuf,
    known: BTreeMap<String, Below>,
    /// Rows of children whose ids alone are in the row above, by their id.
    rows: HashMap<String, Arc<RawValue>>,
    calls: u64,
}

/// A line of the file.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Below {
    parent: String,
    at: Timestamp,
    children: Vec<Category>,
}

impl Categories {
    /// Reads what is known from the folder. `refresh` forgets it first.
    ///
    /// # Errors
    /// Usage, for a platform without categories; local, for a folder that cannot be used.
    pub async fn open(shop: &Shop, folder: &Path, refresh: bool) -> Result<Self> {
        let fields = Fields::open(shop, "categories").await?;
        let path = folder.join(format!("{}-categories.jsonl", shop.place_name().await?));
        let mut known = BTreeMap::new();
        if refresh {
            let _ = fs::remove_file(&path);
        } else if let Some(text) = read(&path)? {
            // A line that was cut off, or is of another version, is asked for again.
            let lines = text.lines().filter_map(|line| serde_json::from_str::<Below>(line).ok());
            known.extend(lines.map(|line| (line.parent.clone(), line)));
        }
        Ok(Self { shop: shop.clone(), fields: Arc::new(fields), path, known, rows: HashMap::new(), calls: 0 })
    }

    /// Returns when the oldest part was fetched; `None` if nothing is known.
    pub fn oldest(&self) -> Option<Timestamp> {
        self.known.values().map(|children| children.at).min()
    }

    /// Returns the number of calls that were made.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// Returns the categories below one, [`TOP`] for the top ones.
    ///
    /// # Errors
    /// As the calls; usage, for a category that a tree which comes whole does not have.
    pub async fn children(&mut self, parent: &str) -> Result<Vec<Category>> {
        if let Some(known) = self.known.get(parent) {
            return Ok(known.children.clone());
        }
        if self.fields.facet.children.is_some() {
            if !self.known.contains_key(TOP) {
                self.fetch_tree().await?;
            }
            let known = self.known.get(parent).map(|known| known.children.clone());
            return known.ok_or_else(|| {
                Error::usage(format!("the tree has no category {parent}"))
                    .with_hint("See `sesame categories tree ACCOUNT` for the ids.")
            });
        }
        let found = if self.fields.facet.child_ids.is_some() {
            self.fetch_by_ids(parent).await?
        } else {
            let rows = self.fetch(parent).await?;
            rows.iter().map(|row| self.category(row, parent)).collect()
        };
        self.keep(vec![(parent.to_owned(), found.clone())])?;
        Ok(found)
    }

    /// Walks the tree from a category down, level by level, and hands over each level.
    ///
    /// # Errors
    /// As [`Categories::children`], and what `each` returns.
    pub async fn walk(
        &mut self,
        from: &str,
        depth: usize,
        mut each: impl FnMut(&[Category]) -> Result<()>,
    ) -> Result<()> {
        let mut parents = vec![from.to_owned()];
        for _ in 0..depth.min(DEEPEST) {
            let mut below = Vec::new();
            for parent in std::mem::take(&mut parents) {
                let children = self.children(&parent).await?;
                each(&children)?;
                below.extend(children.into_iter().filter(|child| child.leaf != "true").map(|child| child.id));
            }
            if below.is_empty() {
                break;
            }
            parents = below;
        }
        Ok(())
    }

    /// Returns the category of this id, if it is known.
    pub fn known(&self, id: &str) -> Option<&Category> {
        self.known.values().flat_map(|known| &known.children).find(|category| category.id == id)
    }

    async fn fetch(&mut self, id: &str) -> Result<Vec<Box<RawValue>>> {
        self.calls += 1;
        fetch(&self.shop, &self.fields, id).await
    }

    /// Takes in a tree that comes whole.
    async fn fetch_tree(&mut self) -> Result<()> {
        let top = self.fetch(TOP).await?;
        let place = self.fields.facet.children.clone().unwrap_or_default();
        let mut lines = Vec::new();
        let mut waiting: Vec<(String, Vec<&RawValue>, usize)> =
            vec![(TOP.to_owned(), top.iter().map(|row| &**row).collect(), 0)];
        while let Some((parent, rows, depth)) = waiting.pop() {
            let children: Vec<Category> = rows.iter().map(|row| self.category(row, &parent)).collect();
            for (row, child) in rows.iter().zip(&children) {
                let below = path::rows(row, &place).unwrap_or_default();
                if depth < DEEPEST {
                    waiting.push((child.id.clone(), below, depth + 1));
                }
            }
            lines.push((parent, children));
        }
        self.keep(lines)
    }

    /// Fetches a category for the ids of its children, and each of those.
    async fn fetch_by_ids(&mut self, parent: &str) -> Result<Vec<Category>> {
        let own = match self.rows.remove(parent) {
            Some(row) => Some(row),
            None => self.fetch(parent).await?.into_iter().next().map(Arc::from),
        };
        let place = self.fields.facet.child_ids.clone().unwrap_or_default();
        let ids: Vec<String> = own
            .iter()
            .flat_map(|row| path::rows(row, &place).unwrap_or_default())
            .filter_map(|id| sesame_core::scalar::text(&serde_json::from_str::<Json>(id.get()).ok()?))
            .collect();
        let (shop, fields) = (self.shop.clone(), Arc::clone(&self.fields));
        let mut found: HashMap<String, Box<RawValue>> = HashMap::new();
        let work = |id: String| {
            let (shop, fields) = (shop.clone(), Arc::clone(&fields));
            async move { fetch(&shop, &fields, &id).await.map(|rows| (id, rows)) }
        };
        at_once(AT_ONCE, ids.clone(), work, |(id, rows)| {
            found.extend(rows.into_iter().next().map(|row| (id, row)));
            Ok(())
        })
        .await?;
        self.calls += ids.len() as u64;
        let mut children = Vec::with_capacity(ids.len());
        for id in ids {
            let Some(row) = found.remove(&id) else { continue };
            children.push(Category { id: id.clone(), ..self.category(&row, parent) });
            self.rows.insert(id, Arc::from(row));
        }
        Ok(children)
    }

    fn category(&self, row: &RawValue, parent: &str) -> Category {
        let get = |name: &str| self.fields.get(row, name);
        Category {
            id: get("id"),
            name: get("name"),
            local_name: get("local_name"),
            level: get("level"),
            leaf: get("leaf"),
            parent: parent.to_owned(),
        }
    }

    fn keep(&mut self, lines: Vec<(String, Vec<Category>)>) -> Result<()> {
        let at = self.shop.client().clock().now();
        let mut text = String::new();
        for (parent, children) in lines {
            let line = Below { parent: parent.clone(), at, children };
            text.push_str(&serde_json::to_string(&line).unwrap_or_default());
            text.push('\n');
            self.known.insert(parent, line);
        }
        append(&self.path, &text)
    }
}

impl Shop {
    /// Returns the attributes of a category, and when they were fetched: from a file below `folder` if they
    /// are there, and it is not to be refreshed.
    ///
    /// # Errors
    /// Usage, for a platform without such a call; as the call.
    pub async fn attributes(
        &self,
        category: &str,
        folder: &Path,
        refresh: bool,
    ) -> Result<(Vec<Attribute>, Option<Timestamp>)> {
        let fields = Fields::open(self, "attributes").await?;
        // The id becomes part of a file's name.
        if category.is_empty() || !category.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(Error::usage(format!("invalid category {category:?}")));
        }
        let path = folder.join(format!("{}-attributes-{category}.json", self.place_name().await?));
        if !refresh
            && let Some(text) = read(&path)?
            && let Ok((at, attributes)) = serde_json::from_str::<(Timestamp, Vec<Attribute>)>(&text)
        {
            return Ok((attributes, Some(at)));
        }
        let call = fields.call(self, [("category", number(category))])?;
        let rows = fields.rows(self.client(), &call).await?;
        let attributes: Vec<Attribute> = rows
            .iter()
            .map(|row| Attribute {
                id: fields.get(row, "id"),
                name: fields.get(row, "name"),
                required: fields.get(row, "required"),
                values: fields
                    .list(row, "values")
                    .iter()
                    .map(|value| AttributeValue { id: value.get("id"), name: value.get("name") })
                    .collect(),
                raw: row.clone(),
            })
            .collect();
        let _ = fs::remove_file(&path);
        let text = serde_json::to_string(&(self.client().clock().now(), &attributes)).unwrap_or_default();
        append(&path, &text)?;
        Ok((attributes, None))
    }

    /// Names the host of the shop's platform, for files.
    async fn place_name(&self) -> Result<String> {
        let handle = self.client().vault().handle(self.account()).await?;
        let host = handle.urls().api.split("://").nth(1).unwrap_or_default().to_owned();
        let host: String =
            host.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '-' }).collect();
        Ok(format!("{}-{}", handle.platform().name, host.trim_matches('-')))
    }
}

async fn fetch(shop: &Shop, fields: &Fields, id: &str) -> Result<Vec<Box<RawValue>>> {
    let call = fields.call(shop, [("id", number(id))])?;
    fields.rows(shop.client(), &call).await
}

/// An id as platforms want it in JSON: a number if it is one.
fn number(id: &str) -> Json {
    id.parse::<u64>().map_or_else(|_| json!(id), |number| json!(number))
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    Error::local(format!("the cache {} cannot be used: {error}", path.display()))
        .with_hint("Delete it, or look at the permissions of the folder.")
}

fn read(path: &Path) -> Result<Option<String>> {
    match fs::metadata(path) {
        Ok(found) if !found.is_file() || found.len() > LARGEST => {
            return Err(Error::new(
                ErrorKind::Local,
                format!("{} is no cache of categories", path.display()),
            ));
        }
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(path, &error)),
    }
    let bytes = fs::read(path).map_err(|error| failed(path, &error))?;
    // What is damaged is asked for again.
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Appends in one piece: two processes may do so at the same time.
fn append(path: &Path, text: &str) -> Result<()> {
    let write = || -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file: File = OpenOptions::new().append(true).create(true).open(path)?;
        file.write_all(text.as_bytes())
    };
    write().map_err(|error| failed(path, &error))
}
