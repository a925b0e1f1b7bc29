//! `docs/catalogue.md`: how much of the catalog is described, by platform.

use std::{fmt::Write as _, path::Path};

use anyhow::Result;
use sesame_catalog::Catalog;

use crate::complete::{PlainNames, gaps};

/// What is counted of the APIs of a platform.
#[derive(Default)]
struct Counts {
    apis: usize,
    presumed: usize,
    complete: usize,
    titled: usize,
    paged: usize,
    paged_derived: usize,
    safety: usize,
}

/// Writes the page.
pub(crate) fn page(root: &Path, catalog: &Catalog) -> Result<String> {
    let plain = PlainNames::read(root)?;
    let mut out = String::from(
        "<!-- Derived from crates/catalog/data by `./dev gen`. Do not edit. -->\n\n\
         # The catalog\n\n\
         `sesame apis search`, `apis list` and `apis show` read it. An entry is complete when it has a title and\n\
         a description in English and Chinese, a meaning for each parameter that its name does not say, the\n\
         layout of each payload, an example, a sample reply, and the form of its dates. Other titles are made\n\
         of the words of the name. Page rules are curated, or derived from the names of parameters and fields;\n\
         whether a call only reads is written down, or derived from its name by `data/safety.toml`.\n\
         \"Of another platform\" counts APIs of Lazada that nobody has confirmed on the platform; they can be\n\
         called all the same.\n\n\
         | platform | APIs | of another platform | complete | titled: written | derived | paged: curated | derived | safety: confirmed | derived |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
    );
    for platform in catalog.platforms() {
        let mut counts = Counts::default();
        for summary in catalog.list(&platform.name) {
            if summary.presumed {
                counts.presumed += 1;
                continue;
            }
            let api = catalog.api(&platform.name, &summary.name)?;
            counts.apis += 1;
            counts.complete += usize::from(gaps(&api, &plain).is_empty());
            counts.titled += usize::from(!api.title_derived);
            counts.paged += usize::from(api.paging.as_ref().is_some_and(|paging| !paging.derived));
            counts.paged_derived += usize::from(api.paging.as_ref().is_some_and(|paging| paging.derived));
            counts.safety += usize::from(!api.safety_derived);
        }
        let Counts { apis, presumed, complete, titled, paged, paged_derived, safety } = counts;
        writeln!(
            out,
            "| {} | {apis} | {presumed} | {complete} | {titled} | {} | {paged} | {paged_derived} | {safety} | {} |",
            platform.name,
            apis - titled,
            apis - safety,
        )?;
    }
    Ok(out)
}
