//! Views of an advertisement and the clicks on it: which view was clicked, and which was not.
//!
//! `cargo run --release -p tidemill --example join_streams`
#![allow(clippy::print_stdout, reason = "printing is what an example is for")]

use std::{error::Error, time::Duration};

use tidemill::{JoinWindows, StreamsBuilder, testing::TopologyTestDriver};

fn main() -> Result<(), Box<dyn Error>> {
    // A click counts for a view up to ten seconds before it, and may come two seconds late.
    let windows = JoinWindows::of_time_difference_and_grace(Duration::from_secs(10), Duration::from_secs(2))
        .before(Duration::ZERO)
        .idle_after(Duration::from_secs(5));

    let builder = StreamsBuilder::new();
    let views = builder.stream::<String, String>("views");
    let clicks = builder.stream::<String, String>("clicks");
    views
        .left_join_stream(&clicks, windows, "views-clicks", |user, view, click| match click {
            Some(click) => format!("{user} saw {view} and clicked {click}"),
            None => format!("{user} saw {view}"),
        })
        .to("outcomes");

    let driver = TopologyTestDriver::new(&builder.build()?)?;
    let (views, clicks) = (driver.input::<String, String>("views"), driver.input::<String, String>("clicks"));
    views.pipe("ann".into(), "shoes".into(), 1_000)?;
    views.pipe("bob".into(), "shoes".into(), 2_000)?;
    clicks.pipe("ann".into(), "buy".into(), 4_000)?;
    // Nobody does anything any more: after five seconds time passes by the wall clock.
    driver.advance_wall_clock(Duration::from_secs(15))?;
    let outcomes = driver.output::<String, String>("outcomes").read_values()?;
    assert_eq!(outcomes, ["ann saw shoes and clicked buy", "bob saw shoes"]);
    for outcome in outcomes {
        println!("{outcome}");
    }
    Ok(())
}
