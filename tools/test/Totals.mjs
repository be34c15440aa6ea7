// What came of all files of a run.

/** How many of the slowest files are named. */
const SLOWEST = 5;

export class Totals {
  #passes = 0;
  #pending = [];
  #retried = [];
  #failures = [];
  #details = [];
  #times = [];

  add(file, { passes, pending, retried, failures, details, seconds }) {
    this.#passes += passes;
    this.#pending.push(...pending.map((title) => `${file}: ${title}`));
    this.#retried.push(...retried.map(({ title, error }) => `${file}: ${title}\n${indented(error)}`));
    this.#failures.push(...failures);
    if (failures.length > 0) this.#details.push(`${file}\n${details}`);
    this.#times.push({ file, seconds });
  }

  /** Something that failed and is no test. */
  fault(text) {
    this.#failures.push(text);
    this.#details.push(text);
  }

  get files() {
    return this.#times.length;
  }

  /** A run of no test at all, too, proves nothing. */
  get failed() {
    return this.#failures.length > 0 || this.#passes + this.#pending.length === 0;
  }

  /** @param took seconds of the whole run. */
  text(took) {
    const slowest = [...this.#times].sort((a, b) => b.seconds - a.seconds).slice(0, SLOWEST);
    return [
      ...part(
        "slowest files:",
        this.#times.length > SLOWEST ? slowest.map(({ file, seconds }) => `${file} ${seconds} s`) : [],
      ),
      ...part("pending:", this.#pending),
      ...part("failed at first, and were repeated:", this.#retried),
      ...part("failed:", this.#details),
      "",
      `  ${this.#passes} passing (${took} s)`,
      ...(this.#pending.length > 0 ? [`  ${this.#pending.length} pending`] : []),
      ...(this.#retried.length > 0 ? [`  ${this.#retried.length} repeated`] : []),
      ...(this.#failures.length > 0 ? [`  ${this.#failures.length} failing`] : []),
    ].join("\n");
  }
}

function part(title, lines) {
  return lines.length === 0 ? [] : ["", title, ...lines.map((line) => `  ${line}`)];
}

function indented(text) {
  return text.replace(/^/gm, "      ");
}
