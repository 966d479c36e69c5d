//! What every request to the API server passes: a limit on how many are under way, a deadline, a meter, and for writes
//! the question whether this process leads. Asked here, after all waiting and immediately before sending, the answer
//! holds for every write of the operator, whoever makes it.
//!
//! Watches pass freely: they are few, they last for minutes by design, and `kube` ends those that fall silent. Nothing
//! is tried again here. `kube` would by default repeat a request up to 15 times inside one `await`, for minutes, out
//! of sight of back-off and metrics; each object's own back-off does that better (see `controller::backoff`).

mod call;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;
use tower::{BoxError, Layer, Service};

use super::lease::Leadership;

pub use call::Call;

/// Is told of every request that was answered or came to nothing. `status`: of the answer, if there was one.
pub trait Meter: Send + Sync + 'static {
    fn finished(&self, call: Call, status: Option<u16>, took: Duration);
}

/// Bounds on requests other than watches.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most requests under way. Each has a connection of its own, since `kube` speaks HTTP/1.1 only (kube-rs/kube#1923).
    pub under_way: usize,
    /// From sending the request to the last byte of the answer. Waiting for others to finish is not counted.
    pub deadline: Duration,
}

/// The layer. Clones share one limit.
#[derive(Clone)]
pub struct Traffic {
    slots: Arc<Semaphore>,
    deadline: Duration,
    meter: Arc<dyn Meter>,
    leadership: Leadership,
}

impl Traffic {
    /// Writes pass only while `leadership` says so.
    pub fn new(limits: Limits, meter: Arc<dyn Meter>, leadership: Leadership) -> Self {
        Self { slots: Arc::new(Semaphore::new(limits.under_way)), deadline: limits.deadline, meter, leadership }
    }
}

impl<S> Layer<S> for Traffic {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { inner, traffic: self.clone() }
    }
}

/// A client behind the layer.
#[derive(Clone)]
pub struct Guarded<S> {
    inner: S,
    traffic: Traffic,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Guarded<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>, Error = BoxError>,
    S::Future: Send + 'static,
    ResBody: Send + 'static,
{
    type Response = Response<Answer<ResBody>>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let call = Call::of(&request);
        let traffic = self.traffic.clone();
        // Lazy: nothing is sent before the future is polled. Waiting for a slot in `poll_ready` instead would hold up
        // watches too, since all requests queue in front of it.
        let sending = self.inner.call(request);
        async move {
            if call.watch {
                let answer = traffic.metered(call, sending).await?;
                return Ok(answer.map(|body| Answer { body, deadline: None, _slot: None }));
            }
            let slot = Arc::clone(&traffic.slots).acquire_owned().await?;
            if call.writes() && !traffic.leadership.leading() {
                return Err(NotLeading.into());
            }
            let late = Late { call, after: traffic.deadline };
            let mut deadline = Deadline { sleep: Box::pin(tokio::time::sleep(traffic.deadline)), late };
            let bounded = async {
                tokio::select! {
                    answer = sending => answer,
                    () = &mut deadline.sleep => Err(late.into()),
                }
            };
            let answer = traffic.metered(call, bounded).await?;
            Ok(answer.map(|body| Answer { body, deadline: Some(deadline), _slot: Some(slot) }))
        }
        .boxed()
    }
}

impl Traffic {
    async fn metered<B>(&self, call: Call, sending: impl Future<Output = Result<Response<B>, BoxError>>) -> Result<Response<B>, BoxError> {
        let started = Instant::now();
        let answer = sending.await;
        let status = answer.as_ref().ok().map(|answer| answer.status().as_u16());
        self.meter.finished(call, status, started.elapsed());
        answer
    }
}

/// Body of an answer. It keeps its slot until it is read or dropped, and does not outlive the deadline.
pub struct Answer<B> {
    body: B,
    deadline: Option<Deadline>,
    _slot: Option<OwnedSemaphorePermit>,
}

struct Deadline {
    sleep: Pin<Box<Sleep>>,
    late: Late,
}

impl<B> Body for Answer<B>
where
    B: Body<Error = BoxError> + Unpin,
{
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            return Poll::Ready(frame);
        }
        let Some(deadline) = &mut self.deadline else {
            return Poll::Pending;
        };
        let late = deadline.late;
        deadline.sleep.as_mut().poll(context).map(|()| Some(Err(late.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A write was not sent, because the lease is not ours, or not for sure.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("not sent: this process does not lead, or could not renew its lease in time")]
pub struct NotLeading;

/// The answer did not come, or did not end, in time.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the API server did not finish answering ({} {}) within {after:?}", call.verb, call.resource)]
pub struct Late {
    call: Call,
    after: Duration,
}

#[cfg(test)]
mod tests;
