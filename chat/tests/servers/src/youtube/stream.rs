//! The chat as a stream over gRPC.

use std::{pin::Pin, sync::Arc};

use axum::extract::ConnectInfo;
use futures_util::{Stream, stream};
use prost::Message;
use tonic::{Request, Response, Status};

use super::{
    Studio, YoutubeServer, item, page,
    proto::{
        LiveChatMessageListRequest, LiveChatMessageListResponse,
        v3_data_live_chat_message_service_server::{
            V3DataLiveChatMessageService, V3DataLiveChatMessageServiceServer as Server,
        },
    },
    rest::credential,
    turn,
};
use crate::{Fault, fuse::Fuse, hall::Refusal, moment::iso};

pub(super) const PATH: &str = "/youtube.api.v3.V3DataLiveChatMessageService/{method}";

pub(super) fn service(studio: Arc<Studio>) -> Server<Service> {
    Server::new(Service(studio))
}

pub(super) struct Service(Arc<Studio>);

type Answers = Pin<Box<dyn Stream<Item = Result<LiveChatMessageListResponse, Status>> + Send>>;

/// Where a reader of the stream is.
struct Place {
    studio: Arc<Studio>,
    fuse: Option<Fuse>,
    request: u64,
    next: usize,
    answers: u64,
    over: bool,
}

#[tonic::async_trait]
impl V3DataLiveChatMessageService for Service {
    type StreamListStream = Answers;

    async fn stream_list(&self, request: Request<LiveChatMessageListRequest>) -> Result<Response<Answers>, Status> {
        let studio = &self.0;
        if !studio.streams {
            return Err(Status::unimplemented("this server knows no such method"));
        }
        let headers = request.metadata().clone().into_headers();
        let number = studio.hall.admit(credential(&headers)).map_err(|refusal| match refusal {
            Refusal::Unavailable => Status::unavailable("the service is unavailable"),
            Refusal::RateLimited => Status::resource_exhausted("too many requests in a short time"),
            Refusal::Unauthorised => Status::unauthenticated("invalid authentication credentials"),
        })?;
        let fuse = request.extensions().get::<ConnectInfo<Fuse>>().map(|ConnectInfo(fuse)| fuse.clone());
        let asked = request.into_inner();
        if asked.live_chat_id() != YoutubeServer::CHAT {
            return Err(Status::not_found("the live chat cannot be found"));
        }
        let next = page(&studio.hall, asked.page_token.as_deref())
            .map_err(|()| Status::invalid_argument("the page token is invalid"))?;
        let place = Place { studio: Arc::clone(studio), fuse, request: number, next, answers: 0, over: false };
        Ok(Response::new(Box::pin(stream::unfold(place, Place::answer))))
    }
}

impl Place {
    /// The next answer, as soon as there is something to tell.
    async fn answer(mut self) -> Option<(Result<LiveChatMessageListResponse, Status>, Self)> {
        if self.over {
            return None;
        }
        let studio = Arc::clone(&self.studio);
        let hall = &studio.hall;
        let mut changes = hall.changes();
        self.answers += 1;
        // The server ends the stream in order, and expects the reader to come again.
        if self.answers > 1 && hall.strikes(Fault::Moved) {
            return None;
        }
        loop {
            let (_, ended) = hall.lines(self.next, 0);
            let (waiting, _) = hall.lines(self.next, 1);
            if ended || !waiting.is_empty() || self.answers == 1 {
                break;
            }
            changes.changed().await.ok()?;
        }
        let (lines, next, last) = turn(hall, self.next);
        self.next = next;
        let mut items: Vec<_> = lines.iter().map(|line| item::proto(hall, line)).collect();
        // Streams end in both ways.
        let offline_at = (last && hall.schedule.seed.is_multiple_of(2)).then(|| iso(hall.schedule.skew_ms));
        if last && offline_at.is_none() {
            items.push(item::ended());
        }
        self.over = last;
        let next_page_token = Some(format!("page-{next}"));
        let answer = LiveChatMessageListResponse { offline_at, next_page_token, items };
        let whole = !hall.strikes(Fault::Cut);
        if let (false, Some(fuse)) = (whole, &self.fuse) {
            fuse.burn_after(answer.encoded_len() / 2);
        }
        for line in &lines {
            hall.sent(self.request, &line.id, whole);
        }
        Some((Ok(answer), self))
    }
}
