//! Writing many rows so that nothing is lost and nothing is written twice.

mod batches;
mod check;
mod journal;
mod kind;
mod plan;
mod run;
mod settle;
mod told;

pub(crate) use batches::{id as json_id, template};
pub(crate) use told::Told;

pub use journal::JobInfo;
pub use kind::{JobEntry, JobKind, JobRow, RowOutcome};
pub use plan::JobPlan;
pub use run::{Job, JobReport};
