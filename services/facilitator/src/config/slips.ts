// Variables that look like slips of ours: what nobody reads goes unnoticed. Names that can only be meant for this service are
// refused; others may be somebody else's, so they are only pointed out.
import type { ConfigProblem } from "./ConfigurationError.js";
import { VARIABLES } from "./variables.js";

export interface Slips {
  readonly refused: readonly ConfigProblem[];
  /** To be told, and no reason not to start. */
  readonly doubtful: readonly ConfigProblem[];
}

/** Names that nobody else has. */
const LIKE_OURS =
  /^(FEE_PAYER|SELLER|MIN_CHARGE|SETTLEMENT_KEY|OPERATOR_KEY|SPONSOR|ALLOW_PGLITE|ALLOW_PUBLIC|ONBOARD)/;

/** What Kubernetes sets of its own accord for every service that it has, whatever that is called. */
const OF_KUBERNETES = /_SERVICE_(HOST|PORT)(_|$)|_PORT_\d+_(TCP|UDP|SCTP)(_|$)/;
const VALUE_OF_KUBERNETES = /^(tcp|udp|sctp):\/\//;

/** So short or so common that others have names like them. */
const COMMON = new Set(["HOST", "PORT", "SECRET"]);

const OURS = "MPPSOL_";

/** One letter in so many may be wrong. */
const LETTERS_A_SLIP = 5;

/** @param present variables that are set, with their values. */
export function slipsIn(present: Readonly<Record<string, string>>): Slips {
  const known = VARIABLES.map(({ name }) => name);
  const refused: ConfigProblem[] = [];
  const doubtful: ConfigProblem[] = [];
  for (const [variable, value] of Object.entries(present)) {
    if (known.includes(variable) || OF_KUBERNETES.test(variable) || VALUE_OF_KUBERNETES.test(value)) continue;
    const meant = nearest(variable, known);
    const question = meant === undefined ? "" : `; is ${meant} meant?`;
    if (LIKE_OURS.test(variable)) {
      refused.push({ variable, problem: `is no variable of this service: README.md lists them${question}` });
    } else if (meant !== undefined) doubtful.push({ variable, problem: `is not read${question}` });
  }
  return { refused, doubtful };
}

/** The variable that is meant by `name`, if it looks like one. */
function nearest(name: string, known: readonly string[]): string | undefined {
  const upper = name.toUpperCase();
  const others = known.filter((one) => !COMMON.has(one));
  const prefixed = known.find((one) => `${OURS}${one}` === upper || one === `${OURS}${upper}`);
  if (prefixed !== undefined) return prefixed;
  const distances = others
    .map((one) => ({ one, distance: editDistance(upper, one) }))
    .filter(({ one, distance }) => distance <= Math.max(1, Math.floor(one.length / LETTERS_A_SLIP)))
    .sort((a, b) => a.distance - b.distance);
  return distances[0]?.one ?? others.find((one) => beginsAlike(upper, one));
}

/** Whether the first half of the words, two at least, are the same: GRACE_PERIOD and GRACE_PERIOD_SECONDS. */
function beginsAlike(name: string, known: string): boolean {
  const words = known.split("_");
  const most = Math.max(2, Math.ceil(words.length / 2));
  const begin = words.slice(0, most).join("_");
  return words.length >= 2 && (name === begin || name.startsWith(`${begin}_`));
}

/** Letters to add, leave out, replace, or swap with their neighbour (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let older: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let least = Math.min(row[j - 1]! + 1, above[j]! + 1, above[j - 1]! + (same ? 0 : 1));
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) least = Math.min(least, older[j - 2]! + 1);
      row.push(least);
    }
    older = above;
    above = row;
  }
  return above[b.length]!;
}
