//! The sign-in: the user's name, what the server asks for, the token when it may be sent, and one query.

use std::sync::Arc;

use super::Run;
use crate::evidence::{Detail, PasswordReply, ServerError, Session, Startup};
use crate::failure::Outcome;
use crate::net::Failed;
use crate::net::postgres::{Asks, Login, Step};
use crate::verb::SERVER;

/// Who am I, in which database, and is TLS in use: read-only, one round trip.
const QUERY: &str = "select current_user, current_database(), current_setting('server_version'), \
    (select ssl from pg_catalog.pg_stat_ssl where pid = pg_catalog.pg_backend_pid())";

pub(super) async fn run(run: Arc<Run>) {
    let doubted = run.doubted.giver();
    let Some(user) = run.target.user.clone() else { return };
    let Some(Some(open)) = run.server.wait().await else { return };
    let Some(stream) = open.take() else { return };
    let mut login = Login::new(stream, run.patience());
    let Some(asks) = start(&run, &mut login, &user).await else { return };
    if asks != Asks::Cleartext {
        // SCRAM, MD5, GSS and trust never get the token: none of them is how Entra signs in.
        if let Some(doubted) = doubted {
            let _ = doubted.send(Some(matches!(asks, Asks::Scram | Asks::Md5)));
        }
        login.end().await;
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
    // Class 28 is "invalid authorization": whom the name and the token stand for may explain it.
    let named = detail.server_error.as_ref().is_some_and(|error| error.sqlstate.starts_with("28"));
    if let Some(doubted) = doubted {
        let _ = doubted.send(Some(named));
    }
    pending.end(outcome, error);
    if outcome.is_ok() {
        session(&run, &mut login).await;
        login.end().await;
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

async fn session<S: crate::net::postgres::Stream>(run: &Run, login: &mut Login<S>) {
    let detail = Detail::Session(Session::default());
    let mut pending = run.recorder.begin(SERVER, "the session", detail);
    let answer = match login.ready().await {
        Ok(Step::Done(())) => login.query(QUERY).await,
        Ok(Step::Error(error)) => Ok(Step::Error(error)),
        Err(failure) => Err(failure),
    };
    let Detail::Session(session) = &mut pending.detail else { return };
    if let Ok(Step::Done(row)) = &answer {
        let column = |index: usize| row.get(index).cloned().flatten();
        session.current_user = column(0);
        session.current_database = column(1);
        session.server_version = column(2);
        session.tls = column(3).map(|text| text == "t" || text == "true");
    }
    let (outcome, error) = ended(answer, &mut session.server_error);
    pending.end(outcome, error);
}

fn ended<T>(answer: Result<Step<T>, Failed>, kept: &mut Option<ServerError>) -> Failed {
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
