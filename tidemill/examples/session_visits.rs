//! Visits of a shop: the pages of a visit as one list, whatever the order in which they come.
//!
//! `cargo run --release -p tidemill --example session_visits`
//!
//! A visit ends when its visitor has been silent for half a minute. A page view that comes late between two visits makes
//! them one visit, and moves none of their pages.

#![allow(clippy::print_stdout, reason = "printing is what an example is for")]

use std::{error::Error, time::Duration};

use tidemill::{EmitStrategy, SessionWindows, StreamsBuilder, Windowed, testing::TopologyTestDriver};

fn main() -> Result<(), Box<dyn Error>> {
    let visits = SessionWindows::of_inactivity_gap_and_grace(Duration::from_secs(30), Duration::from_secs(60));

    let builder = StreamsBuilder::new();
    let views = builder.stream::<String, String>("views").group_by_key();
    // Each update, for a page that shows who is here. A visit that grows or merges is first taken back.
    views.windowed_by(visits).count("pages-so-far").to_stream().to("updates");
    // One list for each visit, when it is over. Silence of everybody ends the last visits, too.
    let idle = EmitStrategy::on_window_close().idle_after(Duration::from_secs(120));
    views.windowed_by(visits).emit(idle).collect("pages").to("visits");

    let driver = TopologyTestDriver::new(&builder.build()?)?;
    let views = driver.input::<String, String>("views");
    let updates = driver.output::<Windowed<String>, Option<i64>>("updates");
    let mut shown = 0;
    for (visitor, page, second) in [("ann", "/", 0), ("ann", "/tea", 50), ("bo", "/", 55), ("ann", "/cups", 25)] {
        println!("{second:>3} s  {visitor} views {page}");
        views.pipe(visitor.to_owned(), page.to_owned(), second * 1000)?;
        let all = updates.read()?;
        for (visit, pages, _) in &all[shown..] {
            let (from, to) = (visit.window.start / 1000, visit.window.end / 1000);
            match pages {
                Some(pages) => println!("        => {}: {pages} pages from {from} s to {to} s", visit.key),
                None => println!("        => {}: not from {from} s to {to} s", visit.key),
            }
        }
        shown = all.len();
    }

    println!("two minutes of silence");
    driver.advance_wall_clock(Duration::from_secs(120))?;
    for (visit, pages, _) in driver.output::<Windowed<String>, Vec<String>>("visits").read()? {
        println!("        => {} visited {}", visit.key, pages.join(" "));
    }
    Ok(())
}
