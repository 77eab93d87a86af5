// The numbers of a study: as screened, and as they follow from what was corrected.

const element = (name, text = "", kind = "") => {
  const made = document.createElement(name);
  made.textContent = text;
  if (kind) made.className = kind;
  return made;
};

const told = (value, decimals) => (value === null || value === undefined ? "–" : value.toFixed(decimals));

function cell(value, interval, decimals, fresh) {
  const made = element("td", told(value, decimals), fresh ? "new" : "");
  if (value !== null && value !== undefined && interval) {
    made.append(element("small", `${told(interval[0], decimals)} to ${told(interval[1], decimals)}`));
  }
  return made;
}

function row(name, first, second) {
  const made = document.createElement("tr");
  const head = element("th", name);
  head.scope = "row";
  made.append(head, first);
  if (second) made.append(second);
  return made;
}

function table(caption, two) {
  const made = document.createElement("table");
  made.append(element("caption", caption));
  const head = document.createElement("tr");
  for (const name of ["", "Screened", ...(two ? ["Now"] : [])]) {
    const title = element(name ? "th" : "td", name);
    if (name) title.scope = "col";
    head.append(title);
  }
  const top = document.createElement("thead");
  top.append(head);
  made.append(top);
  const body = document.createElement("tbody");
  made.append(body);
  return [made, body];
}

const unconfirmed = () => {
  const made = document.createElement("td");
  made.append(element("span", "not confirmed", "unconfirmed"));
  return made;
};

function rowsOfHip(body, overview, screened, now, open) {
  const ways = [screened, ...(now ? [now] : [])];
  const both = (make) => ways.map((hip, index) => make(hip, index === 1));
  const refused = (hip) => hip.status !== "measured";
  if (ways.every(refused)) {
    body.append(row("All", ...both(() => element("td", "not measured"))));
    return;
  }
  for (const [site, called] of Object.entries(overview.sites)) {
    const name = called[0].toUpperCase() + called.slice(1);
    const sites = [
      [`${name}: BMD, g/cm²`, "bmd_g_cm2", "bmd_interval_g_cm2", 3],
      [`${name}: T-score`, "t_score", "t_interval", 1],
      [`${name}: Z-score`, "z_score", "z_interval", 1],
    ];
    for (const [title, key, interval, decimals] of sites) {
      const cells = both((hip, fresh) => {
        if (refused(hip)) return element("td", "not measured");
        const estimate = hip.estimates[site];
        if (!estimate) return open ? unconfirmed() : element("td", "–");
        return cell(estimate[key], estimate[interval], decimals, fresh && estimate[key] !== screened.estimates[site]?.[key]);
      });
      body.append(row(title, ...cells));
    }
  }
  for (const { key, group, name, unit, decimals } of overview.measures) {
    const value = (hip) => (group ? hip[group]?.[key] : hip[key]);
    const cells = both((hip, fresh) => cell(value(hip), null, decimals, fresh && told(value(hip), decimals) !== told(value(screened), decimals)));
    body.append(row(unit ? `${name}, ${unit}` : name, ...cells));
  }
}

const PATIENT = [
  ["Lowest T-score", "lowest_t_score", "lowest_t_interval", 1],
  ["Probability of osteoporosis", "osteoporosis_probability", null, 2],
];

export function show(place, overview, film, numbers) {
  const { screened, corrected } = numbers;
  const made = [];
  for (const hip of overview.sides) {
    const of = (set) => set?.films[film.name]?.hips.find((one) => one.side === hip);
    const [before, after] = [of(screened), of(corrected)];
    if (!before) continue;
    const [one, body] = table(`${hip === "right" ? "Right" : "Left"} hip`, Boolean(after));
    rowsOfHip(body, overview, before, after, film.of_study.films.find((other) => other.name === film.name).open.includes(hip));
    made.push(one);
    const reason = (after || before).reason;
    if (reason) made.push(element("p", `${reason.code}: ${reason.sentence}`));
  }
  const [patient, body] = table("Patient", Boolean(corrected));
  const outcomes = [screened.study.outcome, ...(corrected ? [corrected.study.outcome] : [])];
  const withheld = overview.confirm_first && !film.of_study.done;
  const cells = (make) => outcomes.map((outcome, index) => (outcome ? make(outcome, index === 1) : withheld ? unconfirmed() : element("td", "–")));
  for (const [name, key, interval, decimals] of PATIENT) {
    body.append(row(name, ...cells((outcome, fresh) => cell(outcome[key], interval && outcome[interval], decimals, fresh && outcome[key] !== outcomes[0]?.[key]))));
  }
  body.append(row("Triage", ...cells((outcome) => element("td", outcome.triage || outcome.expectation || "–"))));
  made.push(patient);
  place.replaceChildren(...made);
}
