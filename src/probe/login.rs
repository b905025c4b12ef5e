//! The sign-in: the user's name, what the server asks for, the token when it may be sent, and the session.

use std::sync::Arc;

use super::{Run, pooler, session};
use crate::evidence::{Detail, PasswordReply, ServerError, Startup};
use crate::failure::Outcome;
use crate::net::Failed;
use crate::net::postgres::{Asks, Login, Step};
use crate::verb::SERVER;

pub(super) async fn run(run: Arc<Run>) {
    let doubted = run.doubted.giver();
    let Some(user) = run.target.user.clone() else { return };
    let Some(Some(open)) = run.server.wait().await else { return };
    let Some((stream, peer)) = open.take() else { return };
    let mut login = Login::new(stream, run.patience());
    let asks = start(&run, &mut login, &user).await;
    if asks != Some(Asks::Cleartext) {
        // SCRAM, MD5, GSS and trust never get the token: none of them is how Entra signs in.
        if let Some(doubted) = doubted {
            let _ = doubted.send(Some(matches!(asks, Some(Asks::Scram | Asks::Md5))));
        }
        login.end().await;
        if let Some((host, pooler::PGBOUNCER)) = run.host(SERVER) {
            pooler::past_the_pooler(&run, &host, &user, peer).await;
        }
        return;
    }
    let token = run.token.wait().await.flatten();
    let Some(token) = token else {
        login.end().await;
        return;
    };
    let detail = PasswordReply { sent: true, authenticated: false, server_error: None };
    let mut pending = run.recorder.begin(SERVER, "the server's answer to the token", Detail::Password(detail));
    let answer = login.send_token(&token.secret).await;
    let Detail::Password(detail) = &mut pending.detail else { return };
    detail.authenticated = matches!(answer, Ok(Step::Done(())));
    let (outcome, error) = ended(answer, &mut detail.server_error);
    // Class 28 is "invalid authorization", which a pooler says in its own way: whom the name and the token stand for may explain it.
    let named = detail.server_error.as_ref().is_some_and(|error| {
        error.sqlstate.starts_with("28") || error.message.starts_with("password authentication failed")
    });
    if let Some(doubted) = doubted {
        let _ = doubted.send(Some(named));
    }
    pending.end(outcome, error);
    if outcome.is_ok() {
        session::run(&run, &mut login).await;
        login.end().await;
    } else if let Some((host, pooler::PGBOUNCER)) = run.host(SERVER).filter(|_| named) {
        // A pooler asks everybody for a password: only PostgreSQL's own question tells of the role.
        pooler::past_the_pooler(&run, &host, &user, peer).await;
    }
}

async fn start<S: crate::net::postgres::Stream>(run: &Run, login: &mut Login<S>, user: &str) -> Option<Asks> {
    let database = &run.target.database;
    let detail = Startup { user: user.to_owned(), database: database.clone(), asks: None, server_error: None };
    let mut pending = run.recorder.begin(SERVER, format!("what the server asks of {user}"), Detail::Startup(detail));
    let answer = login.start(user, database).await;
    let Detail::Startup(detail) = &mut pending.detail else { return None };
    let asks = match &answer {
        Ok(Step::Done(asks)) => Some(*asks),
        _ => None,
    };
    detail.asks = asks.map(|asks| asks.name().to_owned());
    let (outcome, error) = ended(answer, &mut detail.server_error);
    pending.end(outcome, error);
    asks
}

pub(super) fn ended<T>(answer: Result<Step<T>, Failed>, kept: &mut Option<ServerError>) -> Failed {
    match answer {
        Ok(Step::Done(_)) => (Outcome::Ok, None),
        Ok(Step::Error(error)) => {
            let text = format!("{} {}", error.sqlstate, error.message);
            *kept = Some(*error);
            (Outcome::Rejected, Some(text))
        }
        Err(failure) => failure,
    }
}
