//! The pages where sellers approve apps, and TOP's unsigned `/token`.

mod authorize;
mod pages;
mod token;

pub(crate) use authorize::serve as serve_authorize;
pub(crate) use token::serve as serve_token;
