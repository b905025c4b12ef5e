//! PostgreSQL itself beside the pooler that comes with flexible server, when the pooler asks for no token or refuses it.

use std::net::SocketAddr;

use super::Run;
use crate::evidence::{Changed, Comparison, Detail, Recorder};
use crate::failure::Outcome;
use crate::net::postgres::{self, Login, Ssl, Step};
use crate::net::{Failed, dial, failed, tls, within};
use crate::target::connect_to::{dialled, fixed};
use crate::verb::SERVER;

/// Where PostgreSQL listens beside PgBouncer.
pub(super) const POSTGRES: u16 = 5432;
/// The port of the pooler that comes with flexible server.
pub(super) const PGBOUNCER: u16 = 6432;

/// What PostgreSQL itself asks of the user, beside the pooler at `pooler` that asked for no token, or refused it. Nothing is sent but the user's name.
pub(super) async fn past_the_pooler(run: &Run, host: &str, user: &str, pooler: SocketAddr) {
    let rules = &run.target.connect_to;
    let peer = SocketAddr::new(pooler.ip(), POSTGRES);
    // A rule that leads the pooler's name elsewhere says nothing of where PostgreSQL is, unless another one does.
    let led = fixed(rules, host, pooler.port()).or(fixed(rules, host, PGBOUNCER));
    let to = match (led, fixed(rules, host, POSTGRES)) {
        (_, Some(to)) => to,
        (Some(_), None) => return,
        (None, None) => dialled(rules, host, peer),
    };
    let detail = Comparison::new(Changed::PastPooler, peer, host);
    let mut pending = run.recorder.begin(SERVER, "what PostgreSQL asks beside the pooler", Detail::Comparison(detail));
    let asked = within(run.patience(), asks_of(run, host, user, to)).await;
    let Detail::Comparison(detail) = &mut pending.detail else { return };
    let (outcome, error) = match asked {
        Ok(Step::Done(asks)) => {
            detail.asks = Some(asks.name().to_owned());
            (Outcome::Ok, None)
        }
        Ok(Step::Error(error)) => (Outcome::Rejected, Some(format!("{} {}", error.sqlstate, error.message))),
        Err(failure) => failure,
    };
    pending.end(outcome, error);
}

async fn asks_of(run: &Run, host: &str, user: &str, to: SocketAddr) -> Result<Step<postgres::Asks>, Failed> {
    let trust = run.trust().await;
    let mut stream = dial::again(to).await.map_err(|error| failed(&error))?;
    if !matches!(postgres::request_ssl(&mut stream, run.patience()).await?, Ssl::Accepted) {
        return Err((Outcome::Rejected, None));
    }
    // Its handshake is no evidence of the server that was named: only what comes of it is kept.
    let aside = Recorder::new();
    let stream = tls::handshake(&aside, SERVER, (stream, Some(to)), host, (&trust, true), run.patience(), None).await;
    let mut login = Login::new(stream.map_err(|outcome| (outcome, None))?, run.patience());
    let asks = login.start(user, &run.target.database).await?;
    login.end().await;
    Ok(asks)
}
