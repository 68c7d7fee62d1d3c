//! Form coach: grades and corrects exercise while it happens, from 33 body landmarks a few times a second.

pub mod analysis;
