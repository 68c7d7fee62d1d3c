//! Processors that read headers, rows, windows or versions.

use super::{
    about::About,
    draw::{Draw, of},
    plan::{HISTORY, Plan},
};
use crate::case::{Fetch, HeaderKind, Node, Scan};

impl Plan {
    /// A processor that reads headers, rows, windows or versions.
    pub(super) fn reader(&mut self, draw: Draw) -> Option<Node> {
        Some(match draw.op {
            55 => Node::Headers { from: self.any(draw)?, kind: of(draw.a, &[HeaderKind::Add, HeaderKind::Drop]) },
            56 | 57 => {
                let readable = |about: &About| about.has_records() && !about.foreign && !about.headless;
                Node::Headers { from: self.choose(draw.from, readable)?, kind: HeaderKind::Read }
            }
            61 => {
                let kind = of(draw.a, &[Scan::Range, Scan::Reverse, Scan::Prefix, Scan::Absent]);
                Node::ProcessRows { from: self.keyed(draw)?, kind }
            }
            58 => {
                let kind = of(draw.a, &[Fetch::OfKey, Fetch::Backward, Fetch::All]);
                // Longer than a script: see the rules.
                Node::ProcessWindows { from: self.keyed(draw)?, retention: 1_000_000, kind }
            }
            _ => Node::ProcessVersions { from: self.keyed(draw)?, history: of(draw.a, &[HISTORY, 5, 0]), ends: false },
        })
    }
}
