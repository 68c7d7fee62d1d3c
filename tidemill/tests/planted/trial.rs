//! Runs tests against a planted bug until one finds it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::copy::CHOSEN;

/// A test that takes longer does not end.
const PATIENCE: Duration = Duration::from_secs(240);

/// The program whose tests run one by one, so that the first that fails ends the trial; the others run whole.
const SIMULATION: &str = "simulation";

/// Seeds that are tried before anything that takes longer.
const FEW: u64 = 25;

/// A program, and a test of it if not all.
struct Test {
    name: String,
    program: PathBuf,
    test: Option<String>,
}

impl Test {
    fn command(&self, folder: &Path, number: Option<usize>, seeds: u64) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(folder).env("TIDEMILL_FIRST", "1").env("TIDEMILL_SEEDS", seeds.to_string());
        command.env("INSTA_UPDATE", "no").env("RUST_BACKTRACE", "0");
        command.args(self.test.iter().flat_map(|test| ["--exact", test.as_str()]));
        if let Some(number) = number {
            command.env(CHOSEN, number.to_string());
        }
        command
    }
}

/// The tests there are.
pub(crate) struct Tests {
    simulations: Vec<Test>,
    others: Vec<Test>,
    seeds: u64,
}

/// The test that found a bug, and at which seed if it has some.
pub(crate) type Found = (String, Option<u64>);

impl Tests {
    pub(crate) fn new(programs: &BTreeMap<String, PathBuf>, folder: &Path, seeds: u64) -> Result<Self, String> {
        let Some(program) = programs.get(SIMULATION) else { return Err(format!("there is no test '{SIMULATION}'")) };
        let list = Command::new(program).args(["--list", "--format=terse"]).current_dir(folder).output();
        let list = list.map_err(|error| error.to_string())?;
        let tests = String::from_utf8_lossy(&list.stdout).into_owned();
        // Those that run each seed twice find what depends on the machine, and nothing else.
        let tests =
            tests.lines().filter_map(|line| line.strip_suffix(": test")).filter(|test| !test.ends_with("run_again"));
        let test = |test: &str| Test { name: SIMULATION.into(), program: program.clone(), test: Some(test.to_owned()) };
        let simulations = tests.map(test).collect();
        let others = programs.iter().filter(|(name, _)| *name != SIMULATION);
        let other =
            |(name, program): (&String, &PathBuf)| Test { name: name.clone(), program: program.clone(), test: None };
        Ok(Self { simulations, others: others.map(other).collect(), seeds })
    }

    /// Leaves out what fails without any bug. Returns what that is.
    pub(crate) fn leave_out_failing(&mut self, folder: &Path) -> Vec<String> {
        let mut failing = Vec::new();
        let seeds = [self.seeds, 1];
        for (tests, seeds) in [&mut self.simulations, &mut self.others].into_iter().zip(seeds) {
            tests.retain(|test| {
                let fails = failure(test.command(folder, None, seeds)).is_some();
                if fails {
                    failing.push(test.test.clone().unwrap_or_else(|| test.name.clone()));
                }
                !fails
            });
        }
        failing
    }

    /// Which test finds the bug of this number: a few seeds of each simulation, the other tests, and all seeds.
    pub(crate) fn find(&mut self, folder: &Path, number: Option<usize>) -> Option<Found> {
        let Self { simulations, others, seeds } = self;
        let seeds = *seeds;
        let found = first(simulations, folder, number, seeds.min(FEW));
        let found = found.or_else(|| first(others, folder, number, 1));
        found.or_else(|| if seeds > FEW { first(simulations, folder, number, seeds) } else { None })
    }
}

/// The first test that fails. It comes first from then on: whoever finds one finds others.
fn first(tests: &mut [Test], folder: &Path, number: Option<usize>, seeds: u64) -> Option<Found> {
    for at in 0..tests.len() {
        let command = tests[at].command(folder, number, seeds);
        let Test { name, test, .. } = &tests[at];
        let Some(output) = failure(command) else { continue };
        let failed = output.lines().find_map(|line| line.strip_prefix("---- ")?.strip_suffix(" stdout ----"));
        let seed = output.split_once("TIDEMILL_SEED=").and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
        let found = test.as_deref().or(failed).map_or_else(|| name.clone(), |test| format!("{name}: {test}"));
        tests[..=at].rotate_right(1);
        return Some((found, seed));
    }
    None
}

/// What a program says that fails, or does not end.
fn failure(mut command: Command) -> Option<String> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().ok()?;
    let readers = [reader(child.stdout.take()), reader(child.stderr.take())];
    let passed = wait(&mut child);
    let output: String = readers.into_iter().filter_map(|reader| reader.join().ok()).collect();
    match passed {
        Some(true) => None,
        Some(false) => Some(output),
        None => Some(format!("{output}\nit does not end")),
    }
}

fn reader(pipe: Option<impl std::io::Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut raw = Vec::new();
        // What a killed child said until then will do.
        let _ = pipe.map(|mut pipe| pipe.read_to_end(&mut raw));
        String::from_utf8_lossy(&raw).into_owned()
    })
}

fn wait(child: &mut Child) -> Option<bool> {
    let began = Instant::now();
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status.success());
        }
        if began.elapsed() > PATIENCE {
            // It is this run's own.
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
