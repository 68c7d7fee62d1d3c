//! Behaviours of single calls, event by event, and what holds for every sequence of events.

mod again;
mod bookkeeping;
mod deadlines;
mod model;
mod shown;
mod singles;
mod speed;
mod world;
