// What ical.js says calendars hold. Usage: node icaljs_oracle.mjs <path of ical.js>
// Reads one JSON document per line: first the text of VTIMEZONEs, then for each calendar {text, zone, from, until}: its
// text, the zone of its floating times, and the local dates whose occurrences are told.
// Prints for each calendar one line: a list of [UID, local start, zone or "date", UTC start or date].
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const { default: ICAL } = await import(pathToFileURL(process.argv[2]));

function register(component) {
  for (const zone of component.getAllSubcomponents("vtimezone")) ICAL.TimezoneService.register(zone);
}

// ical.js leaves versions to its caller: of one UID and RECURRENCE-ID the highest SEQUENCE counts (RFC 5545 3.8.7.4).
function newest(components) {
  const versions = new Map();
  for (const component of components) {
    const identity = String(component.getFirstPropertyValue("recurrence-id") ?? "");
    const sequence = component.getFirstPropertyValue("sequence") ?? 0;
    const known = versions.get(identity);
    if (!known || sequence > known.sequence) versions.set(identity, { sequence, component });
  }
  return versions;
}

function occurrence(uid, start, zone) {
  const local = start.toString();
  if (start.isDate) return [uid, local, "date", local];
  const placed = start.clone();
  if (placed.zone.tzid === "floating") placed.zone = ICAL.TimezoneService.get(zone);
  const instant = new Date(placed.toUnixTime() * 1000).toISOString();
  return [uid, local.slice(0, 16), placed.zone.tzid, instant.slice(0, 16)];
}

function occurrences({ text, zone, from, until }) {
  const calendar = new ICAL.Component(ICAL.parse(text));
  register(calendar);
  const series = grouped(calendar.getAllSubcomponents("vevent"));
  const found = [];
  for (const [uid, components] of Object.entries(series)) {
    const versions = newest(components);
    const master = versions.get("");
    versions.delete("");
    const exceptions = [...versions.values()].map((version) => version.component);
    const event = new ICAL.Event(master.component, { exceptions });
    if (!event.isRecurring()) {
      found.push(occurrence(uid, event.startDate, zone));
      continue;
    }
    const dates = event.iterator();
    for (let next = dates.next(); next && next.toString() < until; next = dates.next()) {
      if (next.toString() < from) continue;
      found.push(occurrence(uid, event.getOccurrenceDetails(next).startDate, zone));
    }
  }
  return found;
}

function grouped(components) {
  const series = {};
  for (const component of components) (series[component.getFirstPropertyValue("uid")] ??= []).push(component);
  return series;
}

let zones = false;
for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  if (!zones) {
    register(new ICAL.Component(ICAL.parse(asked)));
    zones = true;
    continue;
  }
  let answer;
  try {
    answer = occurrences(asked);
  } catch (error) {
    answer = String(error);
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
