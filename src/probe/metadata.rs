//! The metadata service: where this machine stands, and a managed identity's token. Never through a proxy.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::token::Wanted;
use super::{Run, grant};
use crate::evidence::{Detail, Instance, MetadataReply, Pending, Recorder};
use crate::failure::Outcome;
use crate::net::{api, arc, http, quote};
use crate::secret::Secret;
use crate::target::Source;
use crate::verb::TOKEN;

/// Off Azure nobody answers at this address, and nobody should wait for it long.
const CONNECT: Duration = Duration::from_secs(1);
/// A busy service is asked again as Microsoft documents, within the patience.
const AGAIN: [Duration; 2] = [Duration::from_millis(400), Duration::from_millis(1000)];
/// Whoever waits as long as the service asks must still be able to sign in before the deadline.
const ROOM: Duration = Duration::from_secs(1);

/// Asks for the instance document: is this an Azure VM, and which?
pub(super) async fn instance(run: Arc<Run>) {
    let Some(giver) = run.in_azure.giver() else { return };
    let url = format!("{}/metadata/instance?api-version=2021-02-01", run.target.metadata);
    let asked = MetadataReply { asked: "instance".to_owned(), url: url.clone(), ..MetadataReply::default() };
    let mut pending = run.recorder.begin(TOKEN, "the metadata service (instance)", Detail::Metadata(asked));
    let answer = api::get(&url, None, CONNECT.min(run.patience()), run.patience()).await;
    let Detail::Metadata(reply) = &mut pending.detail else { return };
    reply.clock = super::clock();
    match answer {
        Ok(answer) => {
            let body = fill(reply, &answer);
            reply.instance = body.as_ref().and_then(document);
            reply.error = None;
            let found = reply.instance.is_some();
            pending.end(if found { Outcome::Ok } else { Outcome::Rejected }, None);
            let _ = giver.send(Some(found));
        }
        Err((outcome, error)) => {
            pending.end(outcome, error);
            let _ = giver.send(Some(false));
        }
    }
}

/// Asks for a token, and keeps whatever is answered instead.
pub(super) async fn token(run: &Run, wanted: &Wanted<'_>) -> Option<Secret> {
    let target = &run.target;
    let resource = api::encoded(wanted.resource);
    let metadata = format!("{}/metadata/identity/oauth2/token", target.metadata);
    // How the platforms name an identity that is not asked for by its client id.
    let mut ids = ["client_id", "object_id", "msi_res_id"];
    let (endpoint, version, header) = match &target.source {
        Source::AppService { endpoint, header } => {
            ids = ["client_id", "principal_id", "mi_res_id"];
            (endpoint, "2019-08-01", Some(("x-identity-header", header)))
        }
        Source::Arc { endpoint } => (endpoint, "2020-06-01", None),
        _ => (&metadata, "2018-02-01", None),
    };
    let mark = if endpoint.contains('?') { '&' } else { '?' };
    let mut url = format!("{endpoint}{mark}api-version={version}&resource={resource}");
    for (name, id) in ids.into_iter().zip([&target.client_id, &target.object_id, &target.resource_id]) {
        if let Some(id) = id {
            url.push_str(&format!("&{name}={}", api::encoded(id)));
        }
    }
    let asked = MetadataReply { asked: "token".to_owned(), url: url.clone(), ..MetadataReply::default() };
    let mut pending = run.recorder.begin(wanted.subject, "the metadata service (token)", Detail::Metadata(asked));
    let mut until = tokio::time::Instant::now() + run.patience();
    let mut pauses = AGAIN.into_iter();
    let mut proof: Option<Secret> = None;
    let answer = loop {
        let header = proof.as_ref().map(|proof| ("authorization", proof)).or(header);
        let left = until.saturating_duration_since(tokio::time::Instant::now());
        let answer = api::get(&url, header, left, left).await;
        let Ok(heard) = &answer else { break answer };
        if heard.status == 401 && proof.is_none() && matches!(target.source, Source::Arc { .. }) {
            match arc::key(heard.header("www-authenticate").as_deref()) {
                Ok(key) => proof = Some(met(run, &mut pending.detail, &key)),
                Err(refusal) => return challenged(pending, heard.status, refusal),
            }
            continue;
        }
        let Some(pause) = pauses.next().filter(|_| matches!(heard.status, 404 | 410 | 429 | 500..)) else {
            break answer;
        };
        let asked = http::retry_after(&heard.headers).map(Duration::from_secs);
        let left = until.saturating_duration_since(tokio::time::Instant::now());
        // Who names a time is waited for while the run lasts; who names none, within the patience.
        let (pause, room) = match asked {
            Some(asked) => (pause.max(asked), target.deadline.saturating_sub(run.recorder.elapsed() + ROOM)),
            None => (pause, left / 2),
        };
        if pause >= room {
            break answer;
        }
        pending.attempts += 1;
        tokio::time::sleep(pause).await;
        if asked.is_some() {
            until = tokio::time::Instant::now() + run.patience();
        }
        // A key of Azure Arc's is good for one request.
        proof = None;
    };
    let Detail::Metadata(reply) = &mut pending.detail else { return None };
    reply.clock = super::clock();
    let answer = match answer {
        Ok(answer) => answer,
        Err((outcome, error)) => {
            pending.end(outcome, error);
            return None;
        }
    };
    match read(&run.recorder, reply, &answer) {
        Ok(token) => {
            pending.end(Outcome::Ok, None);
            Some(token)
        }
        Err(failed) => {
            pending.end(Outcome::Rejected, Some(failed));
            None
        }
    }
}

/// The header by which this machine proves that it could read the key.
fn met(run: &Run, detail: &mut Detail, key: &Secret) -> Secret {
    run.recorder.protect(key);
    if let Detail::Metadata(reply) = detail {
        reply.challenge = Some("met".to_owned());
    }
    Secret::new(format!("Basic {}", key.expose()))
}

/// Nothing is sent where the challenge of Azure Arc cannot be met.
fn challenged(mut pending: Pending, status: u16, refusal: arc::Refusal) -> Option<Secret> {
    if let Detail::Metadata(reply) = &mut pending.detail {
        reply.clock = super::clock();
        reply.challenge = Some(refusal.word.to_owned());
        reply.status = Some(status);
    }
    pending.end(Outcome::Withheld, Some(refusal.says));
    None
}

/// Fills in what was answered; the token, or in one phrase why there is none.
pub(crate) fn read(recorder: &Recorder, reply: &mut MetadataReply, answer: &http::Reply) -> Result<Secret, String> {
    let body = fill(reply, answer);
    grant::protect(recorder, body.as_ref(), [&reply.error, &reply.description, &reply.quote].map(Option::as_ref));
    if answer.status != 200 {
        return Err(format!("HTTP {}", answer.status));
    }
    let token = grant::token(body.as_ref())?;
    reply.token_received = true;
    reply.error = None;
    reply.description = None;
    Ok(token)
}

fn fill(reply: &mut MetadataReply, answer: &http::Reply) -> Option<Value> {
    reply.status = Some(answer.status);
    reply.server = answer.header("server");
    reply.content_type = answer.header("content-type");
    reply.date = answer.date();
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let text = |name: &str| body.as_ref().and_then(|body| body.get(name)?.as_str()).map(|text| quote(text.as_bytes()));
    reply.error = text("error");
    reply.description = text("error_description").or_else(|| text("message"));
    // Nothing of a body that gives a token is kept.
    if answer.status != 200 {
        reply.retry_after = http::retry_after(&answer.headers);
        reply.quote = Some(quote(&answer.body)).filter(|quote| !quote.is_empty());
    }
    body
}

/// What the instance document says of this machine.
pub(crate) fn document(body: &Value) -> Option<Instance> {
    let compute = body.get("compute")?;
    let text = |value: &Value, pointer: &str| {
        value
            .pointer(pointer)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
            .map(|text| quote(text.as_bytes()))
    };
    let subnet = |name: &str| text(body, &format!("/network/interface/0/ipv4/subnet/0/{name}"));
    let subnet_prefix = subnet("address").zip(subnet("prefix")).map(|(address, prefix)| format!("{address}/{prefix}"));
    Some(Instance {
        environment: text(compute, "/azEnvironment"),
        vm: text(compute, "/name"),
        resource_group: text(compute, "/resourceGroupName"),
        subscription: text(compute, "/subscriptionId"),
        location: text(compute, "/location"),
        private_address: text(body, "/network/interface/0/ipv4/ipAddress/0/privateIpAddress"),
        subnet_prefix,
    })
}
