//! What several tests of this crate need.

pub(crate) mod slow_hash;
