//! Puts together what was judged; computes the verdict, once.

use super::{AzureVm, Counts, Report, Requirement, SchemaId, TargetSection, Vantage};
use crate::catalogue::{Catalogue, Place, RequirementRow, Standing};
use crate::diagnosis::{CheckResult, Judged, Judgement};
use crate::evidence::{Detail, Instance, Observation, Stamp};
use crate::fact::{Facts, Row};
use crate::terms::{Proven, Status, Topology, Verdict, Where};
use crate::verb::LOGIN;

pub fn assemble(
    stamp: Stamp,
    facts: &Facts,
    judgement: Judgement<'_>,
    catalogue: &Catalogue,
    evidence: Vec<Observation>,
) -> Report {
    let checks: Vec<CheckResult> = judgement.checks.iter().map(|judged| judged.result(&evidence)).collect();
    let settings = &facts.settings;
    let topology = crate::diagnosis::topology(facts);
    let requirements = catalogue.requirements.iter().map(|row| requirement(row, facts, &judgement, topology)).collect();
    Report {
        schema: SchemaId::One,
        tool: stamp.tool,
        run_id: stamp.run_id,
        started_at: stamp.started_at,
        duration_ms: stamp.duration_ms,
        verdict: verdict(&checks),
        counts: counts(&checks),
        target: TargetSection {
            cloud: settings.cloud.clone(),
            server: settings.server.clone(),
            port: settings.port,
            user: settings.user.clone(),
            database: settings.database.clone(),
            topology,
            credential: credential(facts),
        },
        vantage: vantage(facts, catalogue, &evidence),
        requirements,
        checks,
        diagnoses: judgement.diagnoses,
        suppressed: judgement.suppressed,
        sign_in: super::sign_in::lines(facts, catalogue, &evidence),
        sign_in_remarks: super::sign_in::remarks(facts, catalogue),
        evidence,
    }
}

/// The worst status; `skip` never counts.
fn verdict(checks: &[CheckResult]) -> Verdict {
    match checks.iter().map(|check| check.status).max() {
        Some(Status::Fail) => Verdict::Fail,
        Some(Status::Unknown) => Verdict::Unknown,
        Some(Status::Warn) => Verdict::Warn,
        _ => Verdict::Pass,
    }
}

fn counts(checks: &[CheckResult]) -> Counts {
    let of = |status: Status| checks.iter().filter(|check| check.status == status).count();
    Counts {
        pass: of(Status::Pass),
        warn: of(Status::Warn),
        fail: of(Status::Fail),
        skip: of(Status::Skip),
        unknown: of(Status::Unknown),
    }
}

/// The credential that was used, else the one that was asked for.
fn credential(facts: &Facts) -> String {
    let token = facts.row(crate::verb::TOKEN);
    match token.and_then(|row| row.word("token.source")) {
        Some(name @ ("client-secret" | "client-certificate" | "workload-identity" | "azure-cli")) => name,
        Some("managed-identity") if token.and_then(|row| row.word("token.result")) != Some("not-asked") => {
            "managed-identity"
        }
        Some("app-service" | "arc") => "managed-identity",
        // PGPASSWORD is a token that somebody already has, like a file.
        Some("token-file" | "environment") => "token-file",
        _ => "none",
    }
    .to_owned()
}

fn requirement(row: &RequirementRow, facts: &Facts, judgement: &Judgement<'_>, topology: Topology) -> Requirement {
    let stands: Vec<&Judged<'_>> =
        judgement.checks.iter().filter(|judged| judged.check.requirement.contains(&row.id)).collect();
    // What only waits for another check, and what another control is to blame for, is nothing against this requirement.
    let open = |judged: &Judged<'_>| {
        let mut explains = judgement.diagnoses.iter().filter(|diagnosis| diagnosis.explains.contains(&judged.check.id));
        row.controls.is_empty() || explains.any(|one| one.controls.iter().any(|control| row.controls.contains(control)))
    };
    let failed = stands
        .iter()
        .any(|judged| judged.standing == Some(Standing::Fail) && judged.blocked_by.is_empty() && open(judged));
    let speaks = |judged: &&&Judged<'_>| {
        row.speaks.is_empty() || facts.row(&judged.check.target).is_some_and(|subject| row.speaks.holds(subject))
    };
    let by: Vec<&Judged<'_>> = if failed { stands } else { stands.iter().filter(speaks).copied().collect() };
    let shown = facts.rows.iter().any(|facts| !row.yes.is_empty() && row.yes.holds(facts));
    let passed = !by.is_empty() && by.iter().all(|judged| matches!(judged.status, Status::Pass | Status::Warn));
    let proven = if failed {
        Proven::No
    } else if shown {
        Proven::Yes
    } else if !passed {
        Proven::NotTested
    } else if row.place == Place::ServerSubnet {
        Proven::NotFromHere
    } else {
        Proven::Yes
    };
    Requirement {
        id: row.id.clone(),
        text: row.text.clone(),
        applies: crate::diagnosis::applies(&row.topologies, topology),
        proven,
        by: by.iter().map(|judged| judged.check.id.clone()).collect(),
        source: row.source.clone(),
    }
}

fn vantage(facts: &Facts, catalogue: &Catalogue, evidence: &[Observation]) -> Vantage {
    let blank = Row::default();
    let row = facts.row(LOGIN).unwrap_or(&blank);
    let statement = catalogue.statements.iter().find(|statement| statement.when.holds(row));
    let value = |name: &str| row.value(name).map(str::to_owned);
    Vantage {
        place: match row.word("run.vantage") {
            Some("azure-vm") => Where::AzureVm,
            Some("elsewhere") => Where::Elsewhere,
            _ => Where::Unknown,
        },
        nameservers: facts.settings.nameservers.iter().map(ToString::to_string).collect(),
        proxy: facts.settings.routes.iter().find_map(|route| route.proxy.clone()),
        azure: evidence.iter().find_map(|observation| match &observation.detail {
            Detail::Metadata(reply) => reply.instance.as_ref().map(azure),
            _ => None,
        }),
        statement: statement.map(|one| crate::prose::filled(one.text.trim(), value)).unwrap_or_default(),
    }
}

fn azure(instance: &Instance) -> AzureVm {
    AzureVm {
        vm: instance.vm.clone(),
        resource_group: instance.resource_group.clone(),
        subscription: instance.subscription.clone(),
        location: instance.location.clone(),
        private_address: instance.private_address.clone(),
        subnet_prefix: instance.subnet_prefix.clone(),
    }
}
