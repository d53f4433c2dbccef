//! Reads and writes of the ledger.

use std::time::Duration;

use tokio::time::timeout;

use super::super::report::{self, Report};
use super::super::sql::statement::{Field, Insert, Output, Scalar, Scan};
use super::super::store::{Claim, Row, Xid};
use super::super::wire::value::{Type, Value};
use super::run::Outcome;
use super::{Session, Stop};

/// Postgres's default `deadlock_timeout`: how long a transaction waits for a lock before it checks for a deadlock.
const DEADLOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// Evaluates a scalar as a bigint; `None`: null.
fn number(scalar: &Scalar, parameters: &[Value]) -> Result<Option<i64>, Report> {
    match scalar.value(parameters)?.cast(Type::Int8)? {
        Value::Int(number, _) => Ok(Some(number)),
        _ => Ok(None),
    }
}

fn optional(number: Option<i64>) -> Value {
    number.map_or(Value::Null, |number| Value::Int(number, Type::Int8))
}

fn outputs(outputs: &[Output], row: Row, parameters: &[Value], values: &mut Vec<Value>) -> Result<(), Report> {
    for output in outputs {
        values.push(match output {
            Output::Field(Field::Id) => Value::Int(row.id, Type::Int8),
            Output::Field(Field::Key) => optional(row.key),
            Output::Scalar(scalar) => scalar.value(parameters)?,
            Output::Count => Value::Null,
        });
    }
    Ok(())
}

impl Session {
    /// Takes the snapshot of a transaction at its first access to data.
    pub(super) fn take_snapshot(&mut self) {
        let Some(open) = self.transaction.as_mut().filter(|open| open.snapshot.is_none()) else { return };
        open.snapshot = Some(self.world.lock()[self.index].store.snapshot());
    }

    /// Waits while the ledger is locked.
    ///
    /// *Errors*: 53200 if memory is short; an interrupt or a timeout of the wait.
    async fn reach_ledger(&self) -> Result<(), Stop> {
        let index = self.index;
        let (locked, memory_short) = {
            let servers = self.world.lock();
            (servers[index].ledger_locked, servers[index].memory_short)
        };
        if memory_short {
            return Err(report::out_of_memory().into());
        }
        if locked {
            let free = self.world.until(|servers| (!servers[index].ledger_locked).then_some(()));
            self.wait(true, free).await?;
        }
        Ok(())
    }

    /// Reads the ledger, as rows or as their count.
    pub(super) async fn read(&mut self, wanted: &[Output], scan: &Scan, parameters: &[Value]) -> Result<Outcome, Stop> {
        if wanted.contains(&Output::Count) {
            // LIMIT applies to the rows of the result, and a count is one row.
            let all = Scan { limit: None, ..scan.clone() };
            let count = self.scan(&all, parameters).await?.len() as i64;
            return Ok(Outcome { tag: "SELECT 1".into(), values: vec![Value::Int(count, Type::Int8)] });
        }
        let rows = self.scan(scan, parameters).await?;
        let mut values = Vec::with_capacity(rows.len() * wanted.len());
        for row in &rows {
            outputs(wanted, *row, parameters, &mut values)?;
        }
        Ok(Outcome { tag: Outcome::selected(rows.len()), values })
    }

    /// The rows that this transaction sees, including its own.
    ///
    /// *Errors*: 2201W for a negative limit, a filter or limit that is not a number, and those of
    /// [`reach_ledger`](Session::reach_ledger).
    pub(super) async fn scan(&mut self, scan: &Scan, parameters: &[Value]) -> Result<Vec<Row>, Stop> {
        self.reach_ledger().await?;
        self.take_snapshot();
        let filter = match &scan.filter {
            Some((field, scalar)) => Some((*field, number(scalar, parameters)?)),
            None => None,
        };
        let limit = match &scan.limit {
            Some(scalar) => number(scalar, parameters)?,
            None => None,
        };
        if limit.is_some_and(|limit| limit < 0) {
            return Err(Report::error("2201W", "LIMIT must not be negative").into());
        }
        let servers = self.world.lock();
        let store = &servers[self.index].store;
        let (snapshot, own) = match &self.transaction {
            Some(open) if open.one_snapshot => (open.snapshot.unwrap_or_default(), open.rows.as_slice()),
            Some(open) => (store.snapshot(), open.rows.as_slice()),
            None => (store.snapshot(), [].as_slice()),
        };
        let mut rows: Vec<Row> = match filter {
            None => store.seen(snapshot).to_vec(),
            Some((_, None)) => Vec::new(),
            Some((Field::Id, Some(id))) => store.with_id(id, snapshot).collect(),
            Some((Field::Key, Some(key))) => store.with_key(key, snapshot).into_iter().collect(),
        };
        drop(servers);
        rows.extend(own.iter().filter(|row| match filter {
            None => true,
            Some((Field::Id, wanted)) => Some(row.id) == wanted,
            Some((Field::Key, wanted)) => wanted.is_some() && row.key == wanted,
        }));
        if scan.ordered {
            rows.sort_by_key(|row| row.id);
            if scan.descending {
                rows.reverse();
            }
        }
        rows.truncate(limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX));
        Ok(rows)
    }

    /// Adds rows to the open transaction, after claiming their keys.
    ///
    /// *Errors*: 25006, 53100, 23502, 23505, 40001, 40P01, and those of [`reach_ledger`](Session::reach_ledger).
    pub(super) async fn insert(&mut self, insert: &Insert, parameters: &[Value]) -> Result<Outcome, Stop> {
        self.reach_ledger().await?;
        self.take_snapshot();
        if self.transaction.as_ref().is_none_or(|open| open.read_only) {
            return Err(report::read_only("INSERT").into());
        }
        let xid = self.own_xid()?;
        let (mut values, mut count) = (Vec::new(), 0);
        for row in &insert.rows {
            let [id, key] = row;
            let id = id.as_ref().map_or(Ok(None), |scalar| number(scalar, parameters))?;
            let key = key.as_ref().map_or(Ok(None), |scalar| number(scalar, parameters))?;
            let without_id = || null_id(self.major, &key.map_or("null".into(), |key| key.to_string()));
            let row = Row { id: id.ok_or_else(without_id)?, key };
            if let Some(key) = key
                && !self.claim(key, xid, insert.does_nothing).await?
            {
                continue;
            }
            if let Some(open) = &mut self.transaction {
                open.rows.push(row);
            }
            count += 1;
            outputs(&insert.returning, row, parameters, &mut values)?;
        }
        let tag = if count == 1 { "INSERT 0 1".into() } else { format!("INSERT 0 {count}").into() };
        Ok(Outcome { tag, values })
    }

    /// This transaction's xid, assigned at its first write.
    ///
    /// *Errors*: 53100 if the disk is full.
    fn own_xid(&mut self) -> Result<Xid, Stop> {
        let mut servers = self.world.lock();
        let server = &mut servers[self.index];
        if server.disk_full {
            return Err(report::disk_full().into());
        }
        let Some(open) = &mut self.transaction else { return Ok(0) };
        let xid = *open.xid.get_or_insert_with(|| {
            server.next_xid += 1;
            server.next_xid
        });
        if let Some(own) = server.backends.get_mut(&self.pid) {
            own.xid = Some(xid);
        }
        Ok(xid)
    }

    /// Claims an idempotency key, after waiting for the transaction that holds it. Returns `false` if the key exists
    /// and the INSERT has `DO NOTHING`.
    ///
    /// *Errors*: 23505 for a duplicate, 40001 if the snapshot does not include the duplicate, those of the wait.
    async fn claim(&mut self, key: i64, xid: Xid, does_nothing: bool) -> Result<bool, Stop> {
        loop {
            let (claim, snapshot) = {
                let store = &mut self.world.lock()[self.index].store;
                (store.claim(key, xid), store.snapshot())
            };
            match claim {
                Claim::Taken => return Ok(true),
                Claim::Duplicate(needs) if does_nothing => {
                    let open = self.transaction.as_ref();
                    let seen = open.filter(|open| open.one_snapshot).and_then(|open| open.snapshot).unwrap_or(snapshot);
                    return match needs <= seen {
                        true => Ok(false),
                        false => {
                            Err(Report::error("40001", "could not serialize access due to concurrent update").into())
                        }
                    };
                }
                Claim::Duplicate(_) => {
                    let constraint = "pgsquall_ledger_idempotency_key_key";
                    let text = format!("duplicate key value violates unique constraint \"{constraint}\"");
                    let detail = format!("Key (idempotency_key)=({key}) already exists.");
                    return Err(Report::error("23505", text).detail(detail).into());
                }
                Claim::Held(other) => self.wait_for(key, xid, other).await?,
            }
        }
    }

    /// Waits until another transaction has committed or released a key.
    ///
    /// *Errors*: 40P01 for a deadlock; an interrupt or a timeout.
    async fn wait_for(&self, key: i64, xid: Xid, other: Xid) -> Result<(), Stop> {
        let (index, pid) = (self.index, self.pid);
        let waits_for = |other: Option<Xid>| {
            if let Some(own) = self.world.lock()[index].backends.get_mut(&pid) {
                own.waits_for = other;
            }
        };
        waits_for(Some(other));
        let decided = || self.world.until(|servers| (!servers[index].store.is_held(key, other)).then_some(()));
        let waited = self.wait(true, async {
            if timeout(DEADLOCK_TIMEOUT, decided()).await.is_ok() {
                return true;
            }
            if self.world.lock()[index].is_deadlocked(xid) {
                return false;
            }
            decided().await;
            true
        });
        let waited = waited.await;
        waits_for(None);
        match waited? {
            true => Ok(()),
            false => Err(report::deadlock().into()),
        }
    }
}

fn null_id(major: u32, key: &str) -> Report {
    let relation = if major >= 13 { " of relation \"pgsquall_ledger\"" } else { "" };
    Report::error("23502", format!("null value in column \"id\"{relation} violates not-null constraint"))
        .detail(format!("Failing row contains (null, {key})."))
}
