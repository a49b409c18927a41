//! What has to be true once things are quiet.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::clients::entry;
use crate::http;
use crate::oracle::KEEP;
use crate::plan::rooms;
use crate::world::{World, lock};

/// How long things may take to become quiet.
const PATIENCE: Duration = Duration::from_secs(25);

/// Looks again and again until it is true, or for too long.
pub(crate) async fn eventually(
    mut look: impl AsyncFnMut() -> Result<(), String>,
) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look().await {
            Ok(()) => return Ok(()),
            Err(what) if Instant::now() > deadline => return Err(what),
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn get(world: &World, path: &str) -> Result<Value, String> {
    let asked = http::ask(world.address, "GET", path, "", PATIENCE).await;
    let answer = asked.map_err(|error| format!("GET {path}: {error}"))?;
    match answer.status {
        200 => Ok(answer.json()),
        status => Err(format!("GET {path}: {status} {}", answer.body)),
    }
}

/// Each member is in the rooms that it wants to be in and waits for nothing.
pub(crate) fn all_rest(world: &World) -> Result<(), String> {
    for member in world.members() {
        let member = lock(&member);
        if !member.is_open || !member.is_idle {
            let name = &member.name;
            return Err(format!("{name} still waits for something: {member:?}"));
        }
    }
    Ok(())
}

/// Each member heard the end of each of its logs.
pub(crate) fn all_heard(world: &World) -> Result<(), String> {
    for member in world.members() {
        let member = lock(&member);
        for room in member.present() {
            let newest = world.newest(&room);
            let last = member.rooms.get(&room).and_then(|reader| reader.last());
            if last.is_some_and(|last| last < newest) {
                let name = &member.name;
                return Err(format!(
                    "{name} heard {room} up to {last:?}, and the newest is {newest}"
                ));
            }
        }
    }
    Ok(())
}

/// The histories hold what was delivered and acknowledged.
pub(crate) async fn histories(world: &World) -> Result<(), String> {
    for room in rooms() {
        let known = world.newest(room);
        let path = format!("/api/rooms/{room}/messages?per_page={KEEP}");
        let told = get(world, &path).await?;
        let messages = told["messages"].as_array().cloned().unwrap_or_default();
        let entries: Vec<_> = messages.iter().map(entry).collect();
        let checked = world.oracle().history(room, &entries, known);
        checked.map_err(|violation| format!("GET {path}: {violation}"))?;
    }
    Ok(())
}

/// The server tells of the members that are there, and of nobody else.
pub(crate) async fn members(world: &World) -> Result<(), String> {
    let mut present: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let members = world.members();
    for member in &members {
        let member = lock(member);
        for room in member.present() {
            present.entry(room).or_default().push(member.client.clone());
        }
    }
    let stats = get(world, "/api/stats").await?;
    let counts: BTreeMap<&str, usize> = present
        .iter()
        .map(|(room, clients)| (&**room, clients.len()))
        .collect();
    let expected = serde_json::json!({
        "total_connections": members.len(), "total_rooms": counts.len(), "rooms": counts,
    });
    if stats != expected {
        return Err(format!(
            "/api/stats tells {stats}, and there are {expected}"
        ));
    }
    let listed = get(world, "/rooms").await?;
    let listed = listed["rooms"].as_array().cloned().unwrap_or_default();
    if listed.len() != present.len() {
        return Err(format!(
            "/rooms has {} rooms of {}",
            listed.len(),
            present.len()
        ));
    }
    for (room, mut clients) in present {
        clients.sort();
        let path = format!("/api/rooms/{room}/members");
        let told = get(world, &path).await?;
        let names = names(&told["members"], "user_id");
        if names != clients || told["count"] != clients.len() {
            return Err(format!("{path} tells {names:?}, and there are {clients:?}"));
        }
        clients.dedup();
        let entry = listed.iter().find(|entry| entry["room_id"] == *room);
        let entry = entry.cloned().unwrap_or_default();
        let users = self::names(&entry["members"], "client_id");
        if users != clients || entry["member_count"] != clients.len() {
            return Err(format!(
                "/rooms tells {users:?} of {room}, and there are {clients:?}"
            ));
        }
    }
    Ok(())
}

fn names(members: &Value, field: &str) -> Vec<String> {
    let members = members.as_array().map(Vec::as_slice).unwrap_or_default();
    let names = members.iter().filter_map(|member| member[field].as_str());
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    names.sort();
    names
}

/// Nobody is there.
pub(crate) async fn nobody(world: &World) -> Result<(), String> {
    let stats = get(world, "/api/stats").await?;
    let nothing = serde_json::json!({"total_connections": 0, "total_rooms": 0, "rooms": {}});
    if stats != nothing {
        return Err(format!("all have gone, and /api/stats tells {stats}"));
    }
    let listed = get(world, "/rooms").await?;
    match listed["rooms"].as_array().is_some_and(Vec::is_empty) {
        true => Ok(()),
        false => Err(format!("all have gone, and /rooms tells {listed}")),
    }
}
