//! Settings of models: mistakes, budgets, prompts.

use super::*;

/// What is wrong with these settings of the analyst.
fn wrong_models(set: &[&str], keys: &str) -> Vec<String> {
    let keys: Vec<_> =
        Some(("TIDEMILL_ANALYST_API_KEY", keys)).into_iter().filter(|(_, keys)| !keys.is_empty()).collect();
    let keys = vars(&keys);
    resolve(&options(None, set), keys, APPLICATIONS.to_vec(), true).err().unwrap_or_default()
}

#[test]
fn mistakes_of_models_are_told_together_with_what_to_do() {
    assert_eq!(wrong_models(&["analyst.kind=gemini"], "one,two"), [""; 0]);
    let local = ["analyst.kind=openai", "analyst.endpoint=http://127.0.0.1:1/v1", "analyst.model=qwen3:8b"];
    assert_eq!(wrong_models(&local, ""), [""; 0], "a local server wants no key");

    let problems = wrong_models(&["analyst.kind=openai", "analyst.money_per_day=1", "analyst.price=cheap"], "");
    for part in ["'analyst.price' must be two amounts", "set 'analyst.endpoint'", "set 'analyst.model'"] {
        assert!(problems.iter().any(|problem| problem.contains(part)), "{part} in {problems:#?}");
    }
    let problems = wrong_models(&["analyst.kind=vertex"], "");
    assert!(problems.len() == 2 && problems.concat().contains("analyst.vertex_token_command"), "{problems:#?}");
    let twice = ["analyst.kind=gemini", "analyst.fallback_model=gemini-2.5-flash", "analyst.tenant_money_per_day=2"];
    let problems = wrong_models(&twice, "key");
    assert!(problems.len() == 3 && problems.concat().contains("set 'analyst.fallback_price'"), "{problems:#?}");
    for keys in ["one,,two", "on e", " "] {
        assert!(wrong_models(&["analyst.kind=gemini"], keys).concat().contains("key is empty"), "{keys:?}");
    }
}

#[test]
fn limits_of_all_and_of_tenants_are_limits_of_calls() {
    let file = file(
        "[analyst]\nkind = \"gemini\"\nprice = \"0.30/2.50\"\nmoney_per_day = \"5\"\ntenant_tokens_per_hour = 100000\n\
         [[tenant]]\nname = \"ann\"\ntoken = \"0123456789abcdef\"\nstreams = [\"ann\"]\nmoney_per_day = \"0.50\"\n",
    );
    let keys = vars(&[("TIDEMILL_ANALYST_API_KEY", "key")]);
    let config = resolve(&options(Some(file.path()), &[]), keys, APPLICATIONS.to_vec(), true);
    let settings = config.unwrap_or_else(|problems| panic!("{problems:#?}")).settings;
    let limits: Vec<_> = settings.calls.limits.iter().map(ToString::to_string).collect();
    let expected = [
        "at most 16 calls in flight",
        "at most 5000000 micros per day",
        "at most 100000 tokens per hour for each tenant",
        "at most 500000 micros per day for the tenant ann",
    ];
    assert_eq!(limits, expected);
    let wrong = "[[tenant]]\nname = \"a\"\ntoken = \"0123456789abcdef\"\nstreams = [\"a\"]\nmoney_per_day = 2\ntokens_per_day = 0\n";
    let wrong = self::file(wrong);
    let problems = resolve(&options(Some(wrong.path()), &[]), vars(&[]), APPLICATIONS.to_vec(), true).err();
    let problems = problems.expect("refused").concat();
    assert!(problems.contains("'money_per_day' must be an amount") && problems.contains("'tokens_per_day' must be"));
}

/// The warnings for these settings and variables, or the problems.
fn told(set: &[&str], variables: &[(&str, &str)]) -> Result<Vec<String>, Vec<String>> {
    let config = resolve(&options(None, set), vars(variables), APPLICATIONS.to_vec(), true);
    config.map(|config| config.warnings)
}

#[test]
fn settings_of_models_without_a_model_are_told_at_the_start() {
    let problems =
        told(&["analyst.model=qwen3:8b", "analyst.money_per_day=5", "run.threads=0"], &[]).expect_err("idle");
    let idle = problems.iter().find(|problem| problem.contains("no effect")).expect("it is told");
    assert!(idle.starts_with("'analyst.model', 'analyst.money_per_day' have no effect"), "{idle}");
    assert!(idle.contains("set 'analyst.kind'") && problems.len() == 2, "beside the others: {problems:#?}");
    let file = file("[analyst]\nprice = \"1/2\"\n");
    let config = resolve(&options(Some(file.path()), &[]), vars(&[]), APPLICATIONS.to_vec(), true);
    assert!(config.err().expect("idle").concat().starts_with("'analyst.price' has no effect"));

    let key = ("TIDEMILL_ANALYST_API_KEY", "sesame");
    let warnings = told(&[], &[key]).expect("a variable may be there for another start");
    assert!(warnings.concat().starts_with("TIDEMILL_ANALYST_API_KEY has no effect"), "{warnings:?}");
    assert!(!warnings.concat().contains("sesame"), "{warnings:?}");
    assert_eq!(told(&["analyst.kind=offline", "analyst.model=qwen3:8b"], &[key]), Ok(Vec::new()), "it was said");
    let of_any = ["analyst.timeout=9s", "analyst.attempts=2", "analyst.in_flight=4", "analyst.keep_calls=1h"];
    assert_eq!(told(&of_any, &[]), Ok(Vec::new()));
    assert_eq!(told(&["analyst.cache=0s", "analyst.api_key_file="], &[]), Ok(Vec::new()), "these are the defaults");
}

#[test]
fn a_batch_with_tools_is_odd() {
    let set = ["analyst.kind=gemini", "analyst.tools=true", "analyst.batch=4"];
    let warnings = told(&set, &[("TIDEMILL_ANALYST_API_KEY", "key")]).expect("no mistake");
    assert!(warnings.concat().starts_with("'analyst.batch' has no effect with 'analyst.tools'"), "{warnings:?}");
}

#[test]
fn a_budget_below_what_one_call_reserves_is_refused() {
    let with =
        |more: &[&str]| wrong_models(&[&["analyst.kind=gemini", "analyst.price=0.30/2.50"], more].concat(), "key");
    for setting in ["analyst.tokens_per_minute", "analyst.tokens_per_day", "analyst.tenant_tokens_per_hour"] {
        let problems = with(&[&format!("{setting}=100")]);
        assert_eq!(problems.len(), 1, "{problems:#?}");
        assert!(problems[0].starts_with(&format!("'{setting}' is below what one call reserves")), "{problems:?}");
        assert!(problems[0].contains("to gemini-2.5-flash") && problems[0].contains(" tokens"), "{problems:?}");
    }
    let problems = with(&["analyst.money_per_day=0.000100"]).concat();
    assert!(
        problems.contains("'analyst.money_per_day' is below") && problems.contains(" USD is reserved"),
        "{problems}"
    );
    assert_eq!(with(&["analyst.money_per_day=1", "analyst.tokens_per_day=1000000"]), [""; 0]);
    let file = file(
        "[analyst]\nkind = \"gemini\"\nprice = \"0.30/2.50\"\n\
         [[tenant]]\nname = \"ann\"\ntoken = \"0123456789abcdef\"\nstreams = [\"ann\"]\ntokens_per_day = 10\n",
    );
    let key = vars(&[("TIDEMILL_ANALYST_API_KEY", "key")]);
    let problems = resolve(&options(Some(file.path()), &[]), key, APPLICATIONS.to_vec(), true).err().expect("refused");
    assert!(problems.concat().contains("at most 10 tokens per day for the tenant ann"), "{problems:?}");
}

#[test]
fn a_prompt_that_takes_the_version_of_the_programs_own_is_refused() {
    let asked = &APPLICATIONS[0].calls.as_ref().expect("it calls models").asked;
    let other = |from: &str, to: &str| {
        assert!(asked.prompt.contains(from), "{from}");
        let file = file(&asked.prompt.replacen(from, to, 1));
        let set = format!("live.prompt={}", file.path().display());
        let problems = told(&[&set], &[]).err().unwrap_or_default();
        drop(file);
        problems.concat()
    };
    let told = other("task = \"\"\"", "task = \"\"\"Be brief. ");
    assert!(told.starts_with("'live.prompt' cannot be used") && told.contains("raise its version"), "{told}");
    assert_eq!(other("name = ", "# the same\nname = "), "");
    let told = other("version = ", "# ");
    assert!(told.contains("version: it is missing. Write a whole number from 1"), "{told}");
}

#[test]
fn a_model_chooses_what_follows_an_exhausted_budget() {
    let problems = wrong_models(&["analyst.kind=gemini", "analyst.when_exhausted=fallback"], "key");
    assert!(problems.concat().contains("must be offline, wait or drop, not 'fallback'"), "{problems:?}");
}
