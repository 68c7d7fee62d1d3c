//! Idle notes in repartition topics: which topics carry them, how often they are sent, and after how long a silence
//! they stop.

use std::collections::{BTreeMap, BTreeSet};

use super::Plan;
use crate::{
    graph::{NodeId, NodeKind, TopicRef},
    transport::Topic,
};

/// The shortest time between two notes. More notes would be of no use.
const EVERY_LEAST_MS: i64 = 100;

/// Notes continue for this many times the silence that closes everything, one operator after the other. The reserve is
/// needed because an operator sees a silence only with the next note or tick, and counts it again from zero after a
/// restart.
const TIMES: i64 = 4;

/// The notes that the tasks which write a repartition topic send to the tasks that read the topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IdleNotes {
    pub(crate) topic: Topic,
    /// The subtopology that writes it.
    pub(crate) writer: u32,
    /// The topics from which the writer makes the topic's records.
    pub(crate) above: BTreeSet<Topic>,
    /// The first note comes after this silence. It is also the shortest time between two notes.
    pub(crate) every_ms: i64,
    /// After this silence nothing below is open, and the last note has been sent.
    pub(crate) horizon_ms: i64,
}

impl Plan {
    /// The notes of a repartition topic; `None` if no operator below the topic has an idle time.
    pub(crate) fn idle_notes_in(&self, topic: &str) -> Option<&IdleNotes> {
        self.idle_notes.get(topic)
    }

    /// The notes that the tasks of a subtopology write.
    pub(crate) fn idle_notes_of(&self, subtopology: u32) -> impl Iterator<Item = &IdleNotes> {
        self.idle_notes.values().filter(move |notes| notes.writer == subtopology)
    }

    /// The topics that a repartition topic's records come from, also through other repartition topics. Each topic
    /// stands after the topics that its own records come from.
    pub(crate) fn sources_of(&self, repartition: &Topic) -> Vec<Topic> {
        let mut found = Vec::new();
        self.find_sources(repartition, &mut BTreeSet::new(), &mut found);
        found
    }

    fn find_sources(&self, topic: &Topic, seen: &mut BTreeSet<Topic>, found: &mut Vec<Topic>) {
        for above in self.idle_notes_in(topic).iter().flat_map(|notes| &notes.above) {
            if seen.insert(above.clone()) {
                self.find_sources(above, seen, found);
                found.push(above.clone());
            }
        }
    }

    /// The notes of all repartition topics.
    pub(super) fn find_idle_notes(&self) -> BTreeMap<Topic, IdleNotes> {
        let topics = self.graph.nodes.iter().filter_map(|sink| {
            let NodeKind::RepartitionSink { name, .. } = &sink.kind else { return None };
            let read_by = NodeKind::RepartitionSource(name.clone());
            let source = self.graph.nodes.iter().find(|node| node.kind == read_by)?;
            let topic = self.topic_name(&TopicRef::Repartition(name.clone()));
            let (writer, reader) = (self.subtopology_of(sink.id)?, self.subtopology_of(source.id)?);
            let above = self.topics_above(&[sink.id]);
            Some((topic.clone(), (reader, IdleNotes { topic, writer, above, every_ms: 0, horizon_ms: 0 })))
        });
        let topics: BTreeMap<_, _> = topics.collect();
        let mut known = BTreeMap::new();
        for topic in topics.keys() {
            self.idle_below(topic, &topics, &mut known);
        }
        let found = topics.into_iter().filter_map(|(topic, (_, notes))| {
            let Need { every_ms, horizon_ms } = known.remove(&topic).flatten()?;
            Some((topic, IdleNotes { every_ms, horizon_ms, ..notes }))
        });
        found.collect()
    }

    /// The notes that a topic needs: for all operators in the tasks that read it, because these share one idle clock,
    /// and for the notes that these tasks pass on.
    fn idle_below(
        &self,
        topic: &Topic,
        topics: &BTreeMap<Topic, (u32, IdleNotes)>,
        known: &mut BTreeMap<Topic, Option<Need>>,
    ) -> Option<Need> {
        if let Some(known) = known.get(topic) {
            return *known;
        }
        let (reader, _) = topics[topic];
        let mut need = self.idle_within(reader);
        let here_ms = need.map_or(0, |need| need.horizon_ms);
        for (next, (_, notes)) in topics {
            if notes.writer == reader
                && notes.above.contains(topic)
                && let Some(below) = self.idle_below(next, topics, known)
            {
                let every_ms = need.map_or(below.every_ms, |need| need.every_ms.min(below.every_ms));
                let horizon_ms = here_ms.saturating_add(below.horizon_ms).max(need.map_or(0, |need| need.horizon_ms));
                need = Some(Need { every_ms, horizon_ms });
            }
        }
        known.insert(topic.clone(), need);
        need
    }

    /// The notes that the operators of one task need.
    fn idle_within(&self, subtopology: u32) -> Option<Need> {
        let nodes = &self.subtopologies[subtopology as usize].nodes;
        let least_ms = nodes.iter().filter_map(|node| self.graph.idle_of(*node)).map(|idle| idle.after_ms).min()?;
        let every_ms = (least_ms / 2).max(EVERY_LEAST_MS);
        let mut lengths = BTreeMap::new();
        let longest_ms = nodes.iter().map(|node| self.open_below(*node, &mut lengths)).max().unwrap_or(0);
        let horizon_ms = longest_ms.saturating_mul(TIMES).saturating_add(every_ms);
        Some(Need { every_ms, horizon_ms })
    }

    /// The silence after which an operator and all operators below it, one after the other, are closed.
    fn open_below(&self, node: NodeId, known: &mut BTreeMap<NodeId, i64>) -> i64 {
        if let Some(known) = known.get(&node) {
            return *known;
        }
        let children = self.graph.nodes.iter().filter(|child| child.parents.iter().any(|edge| edge.from == node));
        let below_ms = children.map(|child| self.open_below(child.id, known)).max().unwrap_or(0);
        let own_ms = self.graph.idle_of(node).map_or(0, |idle| idle.after_ms.saturating_add(idle.open_ms));
        let open_ms = own_ms.saturating_add(below_ms);
        known.insert(node, open_ms);
        open_ms
    }

    fn subtopology_of(&self, node: NodeId) -> Option<u32> {
        let place = self.subtopologies.iter().position(|subtopology| subtopology.nodes.contains(&node))?;
        u32::try_from(place).ok()
    }
}

/// The interval and the horizon that a topic's notes need.
#[derive(Debug, Clone, Copy)]
struct Need {
    every_ms: i64,
    horizon_ms: i64,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{EmitStrategy, KStream, StreamsBuilder, TimeWindows};

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn count(stream: &KStream<String, i64>, name: &str, idle: Option<u64>) -> KStream<String, i64> {
        let windows = TimeWindows::of_size_and_grace(MS(1_000), MS(100));
        let emit = EmitStrategy::on_window_close();
        let emit = idle.map_or(emit, |idle| emit.idle_after(MS(idle)));
        let counts = stream.group_by_key().windowed_by(windows).emit(emit).count(name).to_stream().drop_null_values();
        counts.map(|key, count| (key.key, count))
    }

    /// Name, how often, and for how long.
    fn notes(builder: &StreamsBuilder) -> Vec<(String, i64, i64)> {
        let plan = Plan::new("app", &builder.build().expect("is valid"));
        let notes = plan.idle_notes.values();
        notes.map(|notes| (notes.topic.to_string(), notes.every_ms, notes.horizon_ms)).collect()
    }

    #[test]
    fn notes_last_until_nothing_below_can_be_open() {
        let builder = StreamsBuilder::new();
        let first = count(&builder.stream("in").repartition("a"), "first", Some(500));
        count(&first.repartition("b"), "second", Some(300)).to("out");
        let second_ms = 4 * (300 + 1_100) + 150;
        let first_ms = 4 * (500 + 1_100) + 250 + second_ms;
        let expected =
            [("app-a-repartition".to_owned(), 150, first_ms), ("app-b-repartition".to_owned(), 150, second_ms)];
        assert_eq!(notes(&builder), expected);
    }

    #[test]
    fn of_operators_beside_each_other_the_slowest_counts() {
        let builder = StreamsBuilder::new();
        let stream = builder.stream("in").repartition("a");
        for (name, idle) in [("fast", Some(10)), ("slow", Some(2_000)), ("never", None)] {
            count(&stream, name, idle).to(name);
        }
        assert_eq!(notes(&builder), [("app-a-repartition".to_owned(), 100, 4 * (2_000 + 1_100) + 100)]);
    }

    #[test]
    fn what_a_topic_is_made_from_is_named_from_the_farthest_on() {
        let builder = StreamsBuilder::new();
        let merged = builder.stream("in").repartition("a").merge(&builder.stream("beside"));
        count(&merged.repartition("b"), "counts", Some(500)).to("out");
        let plan = Plan::new("app", &builder.build().expect("is valid"));
        let found = plan.sources_of(&"app-b-repartition".into());
        let place = |name: &str| found.iter().position(|topic| **topic == *name).expect("it is one of them");
        assert_eq!(found.len(), 3);
        assert!(place("in") < place("app-a-repartition"));
        assert!(place("beside") < found.len());
    }

    #[test]
    fn without_idle_times_there_are_no_notes() {
        let builder = StreamsBuilder::new();
        let above = count(&builder.stream("in"), "above", Some(500));
        count(&above.repartition("a"), "below", None).to("out");
        assert_eq!(notes(&builder), []);
    }

    #[test]
    fn many_branches_are_no_many_ways() {
        let builder = StreamsBuilder::new();
        let mut stream = builder.stream::<String, i64>("in").repartition("a");
        for _ in 0..12 {
            stream = stream.filter(|_, value| *value > 0).merge(&stream.filter(|_, value| *value <= 0));
        }
        count(&stream, "counts", Some(500)).to("out");
        assert_eq!(notes(&builder).len(), 1);
    }
}
