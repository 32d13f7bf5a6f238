// Wall-clock starts that ical.js says calendars have, as a second oracle: one JSON line in, one out.
// Run by tests/support/compare_ical_js.py. It knows no zones: their names go out beside the times.
"use strict";

const { createRequire } = require("node:module");
const readline = require("node:readline");

const ICAL = createRequire(`${process.argv[2]}/`)("ical.js").default ?? createRequire(`${process.argv[2]}/`)("ical.js");

function sequence(component) {
  return Number(component.getFirstPropertyValue("sequence") ?? 0);
}

function newest(components) {
  const found = new Map();
  for (const component of components) {
    const original = component.getFirstPropertyValue("recurrence-id");
    const key = `${component.getFirstPropertyValue("uid")} ${original ?? ""}`;
    if (!found.has(key) || sequence(component) > sequence(found.get(key))) found.set(key, component);
  }
  return [...found.values()];
}

function told(component, time) {
  const zone = component.getFirstProperty("dtstart").getParameter("tzid") ?? "";
  return { at: time.toString(), zone, date: time.isDate };
}

function starts(text, first, last) {
  const calendar = new ICAL.Component(ICAL.parse(text));
  const components = newest(calendar.getAllSubcomponents("vevent"));
  const exceptions = components.filter((each) => each.hasProperty("recurrence-id"));
  const masters = components.filter((each) => !each.hasProperty("recurrence-id"));
  const found = [];
  for (const master of masters) {
    const event = new ICAL.Event(master, { strictExceptions: true, exceptions: [] });
    const uid = master.getFirstPropertyValue("uid");
    const changed = new Map();
    for (const each of exceptions) {
      if (each.getFirstPropertyValue("uid") !== uid) continue;
      changed.set(each.getFirstPropertyValue("recurrence-id").toString(), each);
    }
    if (!event.isRecurring()) {
      const change = changed.get(event.startDate.toString());
      found.push(change ? told(change, change.getFirstPropertyValue("dtstart")) : told(master, event.startDate));
      continue;
    }
    const iterator = event.iterator();
    for (let next = iterator.next(); next && next.toString().slice(0, 10) <= last; next = iterator.next()) {
      // What EXDATE excludes is not iterated, so a change of it does not count either.
      const change = changed.get(next.toString());
      if (change) found.push(told(change, change.getFirstPropertyValue("dtstart")));
      else if (next.toString().slice(0, 10) >= first) found.push(told(master, next));
    }
  }
  return found;
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const { text, first, last } = JSON.parse(line);
  let answer;
  try {
    answer = { starts: starts(text, first, last) };
  } catch (error) {
    answer = { error: String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
});
