//! The live demo without a browser: what its steps promise, and nothing that outlives it.
#![allow(dead_code, reason = "the program uses more of the demo than this test")]

#[path = "../examples/demo_live/chatter.rs"]
mod chatter;
#[path = "../examples/demo_live/clip.rs"]
mod clip;
#[path = "../examples/demo_live/stage.rs"]
mod stage;

use std::{fs, time::Duration};

use stage::{Plan, Stage};

const WAIT: Duration = Duration::from_mins(3);

/// Programs that this process started and that still run.
fn children() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().filter_map(Result::ok);
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let pids = lists.flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    pids.filter_map(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).ok()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_of_the_demo_is_read_heard_and_cut_and_its_programs_end_with_it() {
    if let Err(missing) = stage::check_programs() {
        eprintln!("skipped: {missing}");
        return;
    }
    let (window, grace) = (Duration::from_secs(5), Duration::from_secs(15));
    let stage = Stage::open(Plan { window, grace, ..Plan::default() }).await.expect("opens");
    stage.start_stream().await.expect("is taken");
    stage.until_connected(WAIT).await.expect("is connected");
    assert!(!children().is_empty(), "FFmpeg decodes");
    stage.until_chat(5, WAIT).await.expect("chat arrives");
    stage.until_words(3, WAIT).await.expect("words of the script arrive");
    stage.until_insight(WAIT).await.expect("an insight comes");
    stage.clip(WAIT).await.expect("a clip is downloaded").check().expect("it plays, with sound and captions");
    stage.close().await.expect("closes");
    tokio::time::timeout(WAIT, async {
        while !children().is_empty() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .unwrap_or_else(|_| panic!("these programs still run: {:?}", children()));
}
