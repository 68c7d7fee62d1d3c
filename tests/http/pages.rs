//! Pages and their files as browsers fetch them.

use super::{Client, settings};

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_has_a_page_does_not_get_it_again() {
    let client = Client::start(settings()).await;
    for path in ["/", "/live/ada", "/assets/shared/landing.js", "/assets/coach/coach.css"] {
        let first = client.request("GET", path).send().await.expect("answers");
        assert_eq!(first.status(), 200);
        let tag = first.headers()["etag"].clone();
        let again = client.request("GET", path).header("if-none-match", &tag).send().await.expect("answers");
        assert_eq!((again.status().as_u16(), &again.headers()["etag"]), (304, &tag));
        assert_eq!(again.bytes().await.expect("reads"), "");
        let other = client.request("GET", path).header("if-none-match", "W/\"0\"").send().await.expect("answers");
        assert_eq!(other.status(), 200, "the browser has another content");
    }
    client.server.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_and_answers_are_compressed_for_clients_that_ask() {
    let client = Client::start(settings()).await;
    for path in ["/", "/assets/shared/landing.js", "/state/stores"] {
        let plain = client.request("GET", path).send().await.expect("answers");
        assert!(!plain.headers().contains_key("content-encoding"), "{path}");
        let plain = plain.bytes().await.expect("reads");
        let packed = client.request("GET", path).header("accept-encoding", "gzip").send().await.expect("answers");
        assert_eq!(packed.headers()["content-encoding"], "gzip", "{path}");
        let packed = packed.bytes().await.expect("reads");
        assert!(packed.starts_with(&[0x1f, 0x8b]) && packed.len() < plain.len(), "{path}");
    }
    client.server.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_page_gets_the_list_of_applications() {
    let client = Client::start(settings()).await;
    let (status, listed) = client.get("/applications").await;
    let named =
        |field: &str| listed.as_array().expect("a list").iter().map(|app| app[field].clone()).collect::<Vec<_>>();
    assert_eq!((status, named("section")), (200, vec!["live".into(), "coach".into()]));
    assert_eq!(listed[1]["owner"]["plural"], "users");
    assert_eq!(listed[1]["door"]["title"], "Form coach");
    client.server.close().await.expect("closes");
}
