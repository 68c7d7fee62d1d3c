//! The pages, and what they load.

mod files;
mod pose_model;

pub(super) use files::{Pages, applications, asset, home, operator};
pub(super) use pose_model::pose_model;
