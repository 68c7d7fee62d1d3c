//! The chat as a stream of messages over gRPC.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;
use tonic::{
    Request, Streaming,
    metadata::{Ascii, MetadataValue},
    transport::{Channel, ClientTlsConfig, Endpoint},
};

use super::{
    At, Trouble,
    item::Item,
    proto::{
        LiveChatMessageListRequest, LiveChatMessageListResponse,
        v3_data_live_chat_message_service_client::V3DataLiveChatMessageServiceClient as Client,
    },
    rest::{Credential, Rest},
};
use crate::{Batch, ChatError, Clock, Connection, Outlet, Pump, field::Tidy, net::install_cryptography};

/// A stream costs as many units of the quota as a poll, so a server that ends streams early is not asked more often.
const OPENED_EVERY: Duration = Duration::from_secs(5);
/// Answers with long histories are large.
const LARGEST_ANSWER: usize = 16 * 1024 * 1024;

/// How long to wait for the rest when the stream is offline.
const SILENT_AFTER_END: Duration = Duration::from_secs(30);

/// How a stream is opened.
pub(super) struct Stream<'a> {
    pub(super) rest: &'a Rest,
    pub(super) server: &'a str,
    pub(super) clock: &'a Arc<dyn Clock>,
}

/// A stream that is open.
pub(super) struct Open {
    client: Client<Channel>,
    credential: Credential,
    clock: Arc<dyn Clock>,
    answers: Streaming<LiveChatMessageListResponse>,
    opened_ms: i64,
}

impl Stream<'_> {
    /// Opens the stream at the token of the next page, or at the beginning if the server has forgotten it.
    pub(super) async fn open(&self, at: &mut At) -> Result<Open, Trouble> {
        install_cryptography();
        let wrong = |_| ChatError::refused("the address of YouTube's gRPC server is wrong", "give one with https:");
        let mut endpoint = Endpoint::from_shared(self.server.to_owned())
            .map_err(wrong)?
            .connect_timeout(Duration::from_secs(10))
            // A quiet chat and a dead line look the same without it.
            .http2_keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(20))
            .keep_alive_while_idle(true);
        if self.server.starts_with("https:") {
            endpoint = endpoint.tls_config(ClientTlsConfig::new().with_native_roots()).map_err(wrong)?;
        }
        let unreachable = |_| ChatError::transient("YouTube's gRPC server cannot be reached");
        let channel = endpoint.connect().await.map_err(unreachable)?;
        let mut client = Client::new(channel).max_decoding_message_size(LARGEST_ANSWER);
        let answers = ask(&mut client, &self.rest.credential, at).await?;
        let (credential, clock) = (self.rest.credential.clone(), Arc::clone(self.clock));
        let opened_ms = clock.now_ms();
        Ok(Open { client, credential, clock, answers, opened_ms })
    }
}

impl Open {
    /// Reads the stream in a task.
    pub(super) fn run(self, at: At, tidy: Tidy) -> Box<dyn Connection> {
        Box::new(Pump::run(|outlet| self.read(at, tidy, outlet)))
    }

    async fn read(mut self, mut at: At, mut tidy: Tidy, outlet: Outlet) -> Result<(), ChatError> {
        let mut offline = false;
        loop {
            // A server that says that the stream is offline may have more to tell, or may just fall silent.
            let next = self.answers.message();
            let answer = if offline {
                let Ok(answer) = timeout(SILENT_AFTER_END, next).await else { return Ok(()) };
                answer
            } else {
                next.await
            };
            match answer {
                Ok(Some(answer)) => {
                    let mut batch = Batch::default();
                    let is_empty = answer.items.is_empty();
                    let items = answer.items.into_iter().map(Item::of_proto);
                    items.filter(|item| at.admits(item.written_ms())).for_each(|item| item.tell(&mut tidy, &mut batch));
                    offline = answer.offline_at.is_some_and(|moment| !moment.is_empty());
                    batch.ended |= offline && is_empty;
                    at.page = answer.next_page_token.filter(|page| !page.is_empty()).or(at.page);
                    batch.position = Some(at.position());
                    let ended = batch.ended;
                    outlet.put(batch).await?;
                    if ended {
                        return Ok(());
                    }
                }
                Ok(None) if offline => return Ok(()),
                // The server ends streams now and then, and expects the reader to go on with a new one.
                Ok(None) => match self.reopen(&mut at).await {
                    Ok(()) => {}
                    Err(Trouble::Over) => return Ok(()),
                    Err(trouble) => return Err(trouble.told(false)),
                },
                Err(status) => match Trouble::of_status(&status, self.credential.name(), self.credential.renews()) {
                    Trouble::Over => return Ok(()),
                    trouble => return Err(trouble.told(false)),
                },
            }
        }
    }

    async fn reopen(&mut self, at: &mut At) -> Result<(), Trouble> {
        let lasted_ms = u64::try_from(self.clock.now_ms() - self.opened_ms).unwrap_or(0);
        self.clock.sleep(OPENED_EVERY.saturating_sub(Duration::from_millis(lasted_ms))).await;
        self.opened_ms = self.clock.now_ms();
        self.answers = ask(&mut self.client, &self.credential, at).await?;
        Ok(())
    }
}

/// Asks for a stream.
async fn ask(
    client: &mut Client<Channel>,
    credential: &Credential,
    at: &mut At,
) -> Result<Streaming<LiveChatMessageListResponse>, Trouble> {
    loop {
        let mut request = Request::new(LiveChatMessageListRequest {
            live_chat_id: Some(at.chat.clone()),
            hl: None,
            page_token: at.page.clone(),
            part: ["id", "snippet", "authorDetails"].map(str::to_owned).to_vec(),
        });
        let (name, value) = credential.header().await?;
        let odd = |_| ChatError::refused("the credential holds odd characters", "set another credential");
        let mut value = MetadataValue::<Ascii>::try_from(value).map_err(odd)?;
        value.set_sensitive(true);
        request.metadata_mut().insert(name, value);
        match client.stream_list(request).await {
            Ok(response) => return Ok(response.into_inner()),
            Err(status) => match Trouble::of_status(&status, credential.name(), credential.renews()) {
                Trouble::Forgotten if at.page.is_some() => at.begin_anew(),
                trouble => return Err(trouble),
            },
        }
    }
}
