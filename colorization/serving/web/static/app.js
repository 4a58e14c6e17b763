"use strict";

// The page keeps the photos; the server keeps none. A photo is sent for its previews, and again when
// it is downloaded, since a seed and a number say which coloring is meant.

const about = JSON.parse(document.body.dataset.about);
const AT_ONCE = 2;
const NUM_VARIANTS = Math.min(4, about.max_variants);
const MAX_SEED = 2 ** 31 - 1;
const find = (name, within = document) => within.querySelector(name);
const photos = new Set();
const queue = [];
let numActive = 0;

// What people need not know more of.
const WORDS = {
  "no-picture": "This isn't a picture that can be read here. JPEG, PNG, TIFF, WebP, AVIF and HEIC " +
    "pictures are.",
};

class Refusal extends Error {
  constructor(detail, canRetry) {
    super(detail);
    this.canRetry = canRetry;
  }
}

// --- Requests

/**
 * Sends a photo, or a small copy of it; waits and sends it again while the server is busy.
 * What is asked holds the file, the parameters and hints in the file's own pixels.
 */
async function send(path, photo, asked, onStep) {
  for (;;) {
    const answer = await sendOnce(path, photo, asked, onStep);
    if (answer.status === 200) return answer.response;
    const isBusy = answer.status === 429 || answer.status === 503;
    if (!isBusy) throw await refusal(answer);
    const seconds = Number(answer.getResponseHeader("Retry-After")) || 5;
    // Clients that were refused together must not come again together.
    await pause(seconds * (1 + Math.random() / 2), photo.stopped, (left) =>
      onStep(`The server is busy. Trying again in ${left} s.`));
  }
}

function sendOnce(path, photo, { file, parameters, hints }, onStep) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const query = new URLSearchParams({ name: photo.file.name, ...parameters });
    request.open("POST", `${path}?${query}`);
    const body = hints.length ? new FormData() : file;
    if (hints.length) {
      body.append("hints", JSON.stringify({ hints }));
      body.append("photo", file, photo.file.name);
    } else {
      request.setRequestHeader("Content-Type", file.type || "application/octet-stream");
    }
    request.responseType = "blob";
    request.upload.onprogress = (event) => {
      const part = event.loaded / event.total;
      if (part < 1) onStep(`Sending, ${Math.round(100 * part)} %`, part);
    };
    request.upload.onload = () => onStep("Coloring");
    request.onload = () => resolve(request);
    request.onerror = () => reject(new Refusal(
      "The server cannot be reached, or the file cannot be read any more. Check both.", true));
    request.onabort = () => reject(new DOMException("Removed", "AbortError"));
    photo.stopped.addEventListener("abort", () => request.abort(), { once: true });
    if (photo.stopped.aborted) request.abort();
    else request.send(body);
  });
}

async function refusal(answer) {
  try {
    const problem = JSON.parse(await answer.response.text());
    return new Refusal(WORDS[problem.reason] || problem.detail, problem.status >= 500);
  } catch {
    return new Refusal(`The server answered ${answer.status}.`, true);
  }
}

async function pause(seconds, stopped, onSecond) {
  const end = performance.now() + 1000 * seconds;
  for (let left = seconds; left > 0; left = (end - performance.now()) / 1000) {
    stopped.throwIfAborted();
    onSecond(Math.ceil(left));
    await new Promise((resolve) => setTimeout(resolve, Math.min(1000, 1000 * left)));
  }
  stopped.throwIfAborted();
}

// --- One photo

class Photo {
  constructor(file) {
    this.file = file;
    this.removal = new AbortController();
    this.stopped = this.removal.signal;
    this.seed = 0;
    this.saturation = 1;
    this.variant = 1;
    this.preview = null;
    this.build();
    this.show("waiting");
    this.step("Waiting");
  }

  build() {
    this.card = find("#card").content.firstElementChild.cloneNode(true);
    const part = (name) => find(`.${name}`, this.card);
    this.parts = Object.fromEntries(["waiting", "problem", "result", "stage", "divider", "before",
      "after", "variants", "step", "reason", "facts", "remove", "again", "reseed", "download"]
      .map((name) => [name, part(name)]));
    this.parts.progress = find("progress", this.card);
    this.parts.seed = find(".seed input", this.card);
    this.parts.saturation = find(".saturation input", this.card);
    this.parts.amount = part("amount");
    const title = part("name");
    title.textContent = this.file.name;
    title.id = `photo-${(Photo.count = (Photo.count || 0) + 1)}`;
    this.card.setAttribute("aria-labelledby", title.id);
    this.parts.progress.setAttribute("aria-label", `Progress of ${this.file.name}`);
    this.parts.remove.textContent = "Remove";
    this.parts.remove.setAttribute("aria-label", `Remove ${this.file.name}`);
    this.parts.download.setAttribute("aria-label", `Download ${this.file.name} in color`);
    this.parts.facts.textContent = formatBytes(this.file.size);
    this.parts.variants.hidden = NUM_VARIANTS === 1;
    part("seed").hidden = NUM_VARIANTS === 1;
    this.parts.remove.addEventListener("click", () => remove(this));
    this.parts.again.addEventListener("click", () => enqueue(this));
    this.parts.download.addEventListener("click", () => this.download());
    this.parts.reseed.addEventListener("click", () =>
      this.change({ seed: Math.floor(Math.random() * 1e6) }));
    this.parts.seed.addEventListener("change", () => {
      const seed = Math.round(Number(this.parts.seed.value));
      this.change({ seed: Math.min(Math.max(seed || 0, 0), MAX_SEED) });
    });
    this.parts.saturation.addEventListener("input", () => this.showAmount());
    this.parts.saturation.addEventListener("change", () =>
      this.change({ saturation: Number(this.parts.saturation.value) / 100 }));
    this.showAmount();
    makeSlider(this.parts.stage, this.parts.divider, this.file.name);
    this.hints = new HintEditor(this.card, (point, others) => this.suggest(point, others),
      () => enqueue(this));
  }

  show(which) {
    for (const name of ["waiting", "problem", "result"]) this.parts[name].hidden = name !== which;
  }

  step(text, part) {
    this.parts.step.textContent = text;
    if (part === undefined) this.parts.progress.removeAttribute("value");
    else this.parts.progress.value = part;
  }

  showAmount() {
    const percent = `${this.parts.saturation.value} %`;
    this.parts.amount.textContent = percent;
    this.parts.saturation.setAttribute("aria-valuetext", percent);
  }

  /** What the request for the chosen coloring says of it: with hints there is one. */
  get choice() {
    const count = this.isHinted ? 1 : NUM_VARIANTS;
    return { num_variants: count, seed: this.seed, saturation: this.saturation };
  }

  get isHinted() {
    return this.hints.points.some((point) => point.color);
  }

  /** The photo as it is sent for hints: of a large one the copy that is shown, which is soon there. */
  get small() {
    const { width, height, before } = this.preview;
    const image = this.parts.before;
    if (image.naturalWidth >= width) return { file: this.file, width, height };
    return { file: toBlob(before), width: image.naturalWidth, height: image.naturalHeight };
  }

  async suggest(place, others) {
    const { file, width, height } = this.small;
    const [x, y] = HintEditor.pixel(place, width, height);
    const hints = this.hints.forSize(width, height, others);
    const answer = await send("api/suggest", this, { file, hints, parameters: { x, y } }, () => {});
    return JSON.parse(await answer.text()).suggestions;
  }

  /** Gets previews; the card shows how that goes. */
  async color() {
    const isFirst = this.preview === null;
    if (isFirst) this.show("waiting");
    this.parts.stage.setAttribute("aria-busy", "true");
    try {
      if (this.file.size > about.max_bytes) {
        throw new Refusal(`A photo may have up to ${formatBytes(about.max_bytes)} here. ` +
          `This one has ${formatBytes(this.file.size)}.`, false);
      }
      const isHinted = this.isHinted;
      const wish = () => JSON.stringify([this.choice, this.hints.forSize(1e6, 1e6)]);
      const asked = wish();
      const { file, width, height } = isHinted ? this.small : { file: this.file };
      const hints = this.hints.forSize(width, height);
      const answer = await send("api/preview", this, { file, hints, parameters: this.choice },
        (...step) => this.step(...step));
      const preview = JSON.parse(await answer.text());
      // What was asked for meanwhile is on its way.
      if (asked !== wish()) return;
      this.preview = isHinted ? { ...this.preview, variants: preview.variants } : preview;
      this.showPreview();
      this.show("result");
      say(isFirst ? `${this.file.name} is colored.` : `${this.file.name} has other colors.`);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.fail(error);
    } finally {
      this.parts.stage.removeAttribute("aria-busy");
      update();
    }
  }

  fail(error) {
    this.show("problem");
    this.parts.result.hidden = this.preview === null;
    this.parts.reason.textContent = error.message;
    this.parts.again.hidden = !(error instanceof Refusal && error.canRetry);
    say(`${this.file.name} did not work: ${error.message}`);
  }

  showPreview() {
    const { preview, parts } = this;
    const pages = preview.num_pages > 1 ? `, ${preview.num_pages} pages` : "";
    parts.facts.textContent = `${preview.width} × ${preview.height}, ${preview.kind}${pages}, ` +
      formatBytes(this.file.size);
    parts.before.src = preview.before;
    parts.before.alt = `${this.file.name}, as it was`;
    parts.before.decode().then(() => {
      parts.stage.style.setProperty("--w", parts.before.naturalWidth);
      parts.stage.style.setProperty("--h", parts.before.naturalHeight);
    }, () => {});
    this.variant = Math.min(this.variant, preview.variants.length);
    const choices = preview.variants.map((source, index) => this.makeChoice(source, index + 1));
    find(".choices-of-color", this.card).replaceChildren(...choices);
    parts.variants.hidden = choices.length === 1;
    find(".seed", this.card).hidden = this.choice.num_variants === 1;
    parts.seed.value = this.seed;
    this.showVariant();
  }

  makeChoice(source, number) {
    const label = document.createElement("label");
    const input = document.createElement("input");
    const image = document.createElement("img");
    label.className = "coloring";
    Object.assign(input, { type: "radio", value: number, checked: number === this.variant });
    input.name = `${this.card.getAttribute("aria-labelledby")}-variant`;
    input.setAttribute("aria-label", `Coloring ${number} of seed ${this.seed}`);
    input.addEventListener("change", () => {
      this.variant = number;
      this.showVariant();
    });
    Object.assign(image, { src: source, alt: "", draggable: false });
    label.append(input, image);
    return label;
  }

  showVariant() {
    this.parts.after.src = this.preview.variants[this.variant - 1];
    this.parts.after.alt = `${this.file.name}, coloring ${this.variant}`;
  }

  change(values) {
    Object.assign(this, values);
    this.parts.seed.value = this.seed;
    enqueue(this);
  }

  /** The chosen coloring at full size, as a file. */
  async fetchColored(onStep) {
    const { width, height, name } = this.preview;
    const asked = { file: this.file, hints: this.hints.forSize(width, height),
      parameters: { ...this.choice, variant: this.variant } };
    return new File([await send("api/colorize", this, asked, onStep)], name);
  }

  async download() {
    const button = this.parts.download;
    await whileBusy(button, "Download", async (onStep) => {
      this.parts.problem.hidden = true;
      try {
        save(await this.fetchColored(onStep));
        say(`${this.file.name} is downloaded.`);
      } catch (error) {
        if (error.name !== "AbortError") this.fail(error);
      }
    });
  }
}

/** A handle between before and after: by pointer, by touch and by keys. */
function makeSlider(stage, divider, name) {
  let value;
  const set = (next) => {
    value = Math.min(Math.max(next, 0), 100);
    stage.style.setProperty("--at", `${value}%`);
    divider.setAttribute("aria-valuenow", Math.round(value));
    divider.setAttribute("aria-valuetext",
      `${Math.round(value)} % as it was, ${100 - Math.round(value)} % in color`);
  };
  const follow = (event) => {
    const box = stage.getBoundingClientRect();
    set(100 * (event.clientX - box.left) / box.width);
  };
  const steps = { ArrowLeft: -2, ArrowDown: -2, ArrowRight: 2, ArrowUp: 2, PageDown: -10,
    PageUp: 10, Home: -100, End: 100 };
  divider.setAttribute("aria-label", `Before and after of ${name}`);
  divider.addEventListener("keydown", (event) => {
    if (!(event.key in steps) || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    set(value + steps[event.key]);
  });
  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || stage.classList.contains("is-hinting")) return;
    stage.setPointerCapture(event.pointerId);
    follow(event);
    divider.focus({ preventScroll: true });
    event.preventDefault();
  });
  stage.addEventListener("pointermove", (event) => {
    if (stage.hasPointerCapture(event.pointerId)) follow(event);
  });
  set(50);
}

// --- All photos

function add(files) {
  for (const file of files) {
    const photo = new Photo(file);
    photos.add(photo);
    find("#photos").append(photo.card);
    enqueue(photo);
  }
  update();
  if (files.length) say(files.length === 1 ? "1 photo added." : `${files.length} photos added.`);
}

function enqueue(photo) {
  if (!queue.includes(photo)) queue.push(photo);
  work();
}

async function work() {
  if (numActive >= AT_ONCE || !queue.length) return;
  const photo = queue.shift();
  numActive += 1;
  await photo.color();
  numActive -= 1;
  work();
}

function remove(photo) {
  const next = photo.card.nextElementSibling || photo.card.previousElementSibling;
  photo.removal.abort();
  photos.delete(photo);
  if (queue.includes(photo)) queue.splice(queue.indexOf(photo), 1);
  photo.card.remove();
  update();
  (next ? find(".remove", next) : find("#files")).focus();
  say(`${photo.file.name} is removed.`);
}

function update() {
  const colored = [...photos].filter((photo) => photo.preview);
  document.body.classList.toggle("has-photos", photos.size > 0);
  find("#photos").classList.toggle("several", photos.size > 1);
  find("#bar-actions").hidden = photos.size === 0;
  find("#download-all").hidden = colored.length < 2;
}

async function downloadAll() {
  const button = find("#download-all");
  const colored = [...photos].filter((photo) => photo.preview);
  await whileBusy(button, "Download all", async (onStep) => {
    const files = [];
    for (const photo of colored) {
      onStep(`${files.length + 1} of ${colored.length}`);
      try {
        files.push(await photo.fetchColored(() => {}));
      } catch (error) {
        if (error.name !== "AbortError") photo.fail(error);
      }
    }
    if (!files.length) return;
    save(new File(await zip(files), "colorized.zip", { type: "application/zip" }));
    say(`${files.length} photos are downloaded.`);
  });
}

async function whileBusy(button, label, action) {
  if (button.getAttribute("aria-disabled") === "true") return;
  // Not `disabled`, which would take the focus away.
  button.setAttribute("aria-disabled", "true");
  try {
    button.textContent = "Preparing";
    await action((text) => { button.textContent = text; });
  } finally {
    button.textContent = label;
    button.removeAttribute("aria-disabled");
  }
}

function save(file) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = file.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

/** The bytes of a data URL, which the page's policy lets nothing fetch. */
function toBlob(url) {
  const [head, data] = url.split(",");
  const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
  return new Blob([bytes], { type: head.slice(5, head.indexOf(";")) });
}

function say(text) {
  find("#status").textContent = text;
}

function formatBytes(count) {
  if (count < 1e6) return `${Math.max(1, Math.round(count / 1e3))} KB`;
  return `${(count / 1e6).toFixed(count < 1e7 ? 1 : 0)} MB`;
}

// --- Many files as one: ZIP, stored, since photos are compressed already (APPNOTE.TXT 6.3)

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, value) => {
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

async function checksum(file) {
  let crc = 0xffffffff;
  for (const byte of new Uint8Array(await file.arrayBuffer())) {
    crc = CRC_TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

async function zip(files) {
  const pieces = [];
  const directory = [];
  const taken = new Set();
  let position = 0;
  for (const file of files) {
    const name = new TextEncoder().encode(unique(file.name, taken));
    // Version 2.0, names in UTF-8, stored, midnight of 1 January 1980.
    const common = [[20, 2], [0x800, 2], [0, 2], [0, 2], [33, 2], [await checksum(file), 4],
      [file.size, 4], [file.size, 4], [name.length, 2], [0, 2]];
    const local = pack([[0x04034b50, 4], ...common]);
    directory.push(pack([[0x02014b50, 4], [20, 2], ...common, [0, 2], [0, 2], [0, 2], [0, 4],
      [position, 4]]), name);
    pieces.push(local, name, file);
    position += local.length + name.length + file.size;
  }
  const length = directory.reduce((sum, piece) => sum + piece.length, 0);
  if (position + length >= 2 ** 32) throw new Error("These photos are too many for one archive.");
  const end = pack([[0x06054b50, 4], [0, 2], [0, 2], [files.length, 2], [files.length, 2],
    [length, 4], [position, 4], [0, 2]]);
  return [...pieces, ...directory, end];
}

function unique(name, taken) {
  const dot = name.lastIndexOf(".");
  let free = name;
  for (let number = 2; taken.has(free); number += 1) {
    free = `${name.slice(0, dot)} (${number})${name.slice(dot)}`;
  }
  taken.add(free);
  return free;
}

function pack(fields) {
  const bytes = [];
  for (const [value, size] of fields) {
    for (let at = 0; at < size; at += 1) bytes.push(Math.floor(value / 256 ** at) & 255);
  }
  return Uint8Array.from(bytes);
}

// --- Where photos come from

for (const input of [find("#files"), find("#camera")]) {
  input.addEventListener("change", () => {
    add([...input.files]);
    input.value = ""; // So that the same photo can be chosen again.
  });
}

let depth = 0;
const bringsFiles = (event) => [...event.dataTransfer.types].includes("Files");
document.addEventListener("dragenter", (event) => {
  if (bringsFiles(event)) document.body.classList.toggle("dragging", (depth += 1) > 0);
});
document.addEventListener("dragleave", (event) => {
  if (bringsFiles(event)) document.body.classList.toggle("dragging", (depth -= 1) > 0);
});
document.addEventListener("dragover", (event) => {
  if (bringsFiles(event)) event.preventDefault();
});
document.addEventListener("drop", (event) => {
  if (!bringsFiles(event)) return;
  event.preventDefault();
  depth = 0;
  document.body.classList.remove("dragging");
  add([...event.dataTransfer.files]);
});
document.addEventListener("paste", (event) => {
  const files = [...(event.clipboardData?.files ?? [])];
  if (files.length) event.preventDefault();
  add(files);
});

// Points cost work that a reload would lose.
window.addEventListener("beforeunload", (event) => {
  if ([...photos].some((photo) => photo.isHinted)) event.preventDefault();
});

find("#add").addEventListener("click", () => find("#files").click());
find("#download-all").addEventListener("click", downloadAll);
find("#limits").textContent = `JPEG, PNG, TIFF, WebP, AVIF, HEIC and more, up to ` +
  `${formatBytes(about.max_bytes)} and ${Math.floor(about.max_pixels / 1e6) || "under 1"} ` +
  "megapixels each. They keep their size and their metadata.";
