//! Stages: what the states of orders have in common on all platforms.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sesame_catalog::{Facet, StageWord};
use sesame_core::{Error, path};

/// How far an order, or one of its lines, is. The earliest comes first.
///
/// The platform's own word is beside it in each row; which word means what is in the catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stage {
    /// Not paid yet.
    Unpaid,
    /// To be packed and shipped.
    ToShip,
    /// Some lines were shipped.
    PartlyShipped,
    /// Packed, and not yet with the carrier.
    Packed,
    /// On its way.
    Shipped,
    /// Delivered, and not yet done for the platform.
    Delivered,
    /// Done.
    Done,
    /// Somebody wants to cancel it.
    Cancelling,
    /// Cancelled.
    Cancelled,
    /// On its way back, or lost.
    Returning,
    /// Held by the platform: in dispute, frozen, under review.
    Held,
    /// A word that the catalog does not know.
    Unknown,
}

impl Stage {
    /// All stages, the earliest first.
    pub const ALL: [Self; 12] = [
        Self::Unpaid,
        Self::ToShip,
        Self::PartlyShipped,
        Self::Packed,
        Self::Shipped,
        Self::Delivered,
        Self::Done,
        Self::Cancelling,
        Self::Cancelled,
        Self::Returning,
        Self::Held,
        Self::Unknown,
    ];

    /// Returns the name used in data and output.
    pub fn as_str(self) -> &'static str {
        sesame_catalog::STAGES[self as usize]
    }

    /// Returns what a platform's word in a row means.
    pub(crate) fn of(facet: &Facet, word: &str, row: &RawValue) -> Self {
        let Some(meaning) = meaning(facet, word) else { return Self::Unknown };
        let stage = match &meaning.unless {
            Some(unless) if holds(row, &unless.path, &unless.holds) => &unless.stage,
            _ => &meaning.stage,
        };
        stage.parse().unwrap_or(Self::Unknown)
    }

    /// Returns what a platform's word may mean.
    pub(crate) fn possible(facet: &Facet, word: &str) -> Vec<Self> {
        let Some(meaning) = meaning(facet, word) else { return vec![Self::Unknown] };
        let unless = meaning.unless.as_ref().map(|unless| &unless.stage);
        std::iter::once(&meaning.stage).chain(unless).filter_map(|stage| stage.parse().ok()).collect()
    }

    /// Returns the stage of an order whose lines are in these: the earliest one. An order of which some
    /// lines were shipped and others were not is partly shipped.
    pub(crate) fn of_lines(lines: impl IntoIterator<Item = Self>) -> Option<Self> {
        let lines: Vec<Self> = lines.into_iter().collect();
        let earliest = lines.iter().min().copied()?;
        let is_shipped = |stage: &Self| matches!(stage, Self::Shipped | Self::Delivered | Self::Done);
        let waits = matches!(earliest, Self::ToShip | Self::PartlyShipped | Self::Packed);
        Some(if waits && lines.iter().any(is_shipped) { Self::PartlyShipped } else { earliest })
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Stage {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == text).ok_or_else(|| {
            Error::usage(format!("{text:?} is not one of {}", sesame_catalog::STAGES.join(", ")))
        })
    }
}

fn meaning<'a>(facet: &'a Facet, word: &str) -> Option<&'a StageWord> {
    let exact = facet.stages.get(word);
    exact.or_else(|| {
        facet.stages.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, meaning)| meaning)
    })
}

fn holds(row: &RawValue, place: &str, words: &[String]) -> bool {
    let Some(value) = path::text(row, place) else { return false };
    let value = value.to_lowercase();
    words.iter().any(|word| value.contains(&word.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facet(platform: &str) -> Facet {
        sesame_catalog::Catalog::builtin().facet(platform, "orders").unwrap()
    }

    fn row(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn the_names_are_those_of_the_catalog() {
        for (stage, name) in Stage::ALL.into_iter().zip(sesame_catalog::STAGES) {
            assert_eq!((stage.as_str(), name.parse::<Stage>().unwrap()), (name, stage));
            assert_eq!(serde_json::to_value(stage).unwrap(), name);
        }
        assert!("packing".parse::<Stage>().is_err());
    }

    #[test]
    fn a_finished_order_is_done_or_cancelled_by_the_reason_of_its_end() {
        let of = |row_text: &str| Stage::of(&facet("aliexpress"), "FINISH", &row(row_text));
        assert_eq!(of("{}"), Stage::Done);
        assert_eq!(of(r#"{"end_reason":"buyer_accept_goods"}"#), Stage::Done);
        assert_eq!(of(r#"{"end_reason":"buyer_CANCEL_order"}"#), Stage::Cancelled);
    }

    #[test]
    fn a_word_that_no_table_has_is_unknown() {
        assert_eq!(Stage::of(&facet("lazada"), "teleported", &row("{}")), Stage::Unknown);
        assert_eq!(Stage::of(&facet("daraz"), "Pending", &row("{}")), Stage::ToShip, "in any case");
    }

    #[test]
    fn every_state_that_a_list_of_orders_can_be_filtered_by_has_a_stage() {
        let catalog = sesame_catalog::Catalog::builtin();
        let mut words = 0;
        for platform in catalog.platforms() {
            let Ok(facet) = catalog.facet(&platform.name, "orders") else { continue };
            let api = catalog.api(&platform.name, &facet.api).unwrap();
            let Some(place) = facet.inputs.get("status") else { continue };
            let name = place.rsplit('.').next().unwrap();
            let mut stack: Vec<_> = api.params.iter().collect();
            while let Some(param) = stack.pop() {
                stack.extend(&param.children);
                // Names of several states at once are none of an order.
                let states = param
                    .values
                    .iter()
                    .filter_map(|word| word.as_str())
                    .filter(|word| !word.to_lowercase().starts_with("all"));
                for word in states.filter(|_| param.name == name) {
                    words += 1;
                    let stages = Stage::possible(&facet, word);
                    assert_ne!(stages, [Stage::Unknown], "{}: {word}", platform.name);
                }
            }
        }
        assert!(words > 80, "{words}");
    }

    #[test]
    fn an_order_has_the_earliest_stage_of_its_lines() {
        use Stage::*;
        let of = |lines: &[Stage]| Stage::of_lines(lines.iter().copied()).unwrap();
        assert_eq!(of(&[Packed, ToShip]), ToShip);
        assert_eq!(of(&[Cancelled, Delivered]), Delivered);
        assert_eq!(of(&[Returning, Cancelled]), Cancelled);
        assert_eq!(of(&[Shipped, ToShip]), PartlyShipped);
        assert_eq!(of(&[Delivered, Packed, Cancelled]), PartlyShipped);
        assert_eq!(of(&[Unpaid, Shipped]), Unpaid);
        assert_eq!(of(&[Unknown]), Unknown);
        assert_eq!(Stage::of_lines([]), None);
    }
}
