//! One application, disturbed in every way, against what must come out.

pub(crate) mod input;
pub(crate) mod instance;
pub(crate) mod oracle;
mod topology;

pub(crate) mod crash;
pub(crate) mod deleted;
pub(crate) mod formats;
pub(crate) mod global;
pub(crate) mod idle;
pub(crate) mod scaling;
pub(crate) mod sources;
pub(crate) mod undisturbed;
pub(crate) mod zombie;
