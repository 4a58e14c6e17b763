"use strict";

// The page keeps the photos; the server keeps none. A photo is sent for its previews, and again when
// it is downloaded, since a seed and a number say which coloring is meant. Each press of "More
// colorings" asks by the next seed.

const about = JSON.parse(document.body.dataset.about);
const AT_ONCE = 2;
const NUM_VARIANTS = Math.min(4, about.max_variants);
const find = (name, within = document) => within.querySelector(name);
const photos = new Set();
const queue = [];
let numActive = 0;

// What people are told in place of the server's own line, which is then a detail.
const WORDS = {
  "no-picture": "This isn't a picture we can read. JPEG, PNG, TIFF, WebP, AVIF and HEIC pictures are.",
  "unusable-picture": "This photo is damaged, or of a rare kind. Copy it again from where it came, " +
    "or save it as PNG in another program.",
  "too-many-pixels": `This photo is too large for us. Make it smaller than ${formatPixels()} first.`,
  "worked-too-long": "This photo took too long. Try a smaller copy of it.",
  "no-space": "We have no room for this photo just now. Try again later.",
  "internal": "Something went wrong here, and it is not your photo's fault. Try again later.",
  "no-model-server": "The computer that does the coloring is away. Try again later.",
};

class Refusal extends Error {
  constructor(message, canRetry, detail = "") {
    super(message);
    this.canRetry = canRetry;
    this.detail = detail;
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

function sendOnce(path, photo, { file, parameters, hints, mask }, onStep) {
  const { reference } = photo;
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const query = new URLSearchParams({ name: photo.file.name, ...parameters });
    request.open("POST", `${path}?${query}`);
    const body = hints.length || mask || reference ? new FormData() : file;
    if (body !== file) {
      if (hints.length) body.append("hints", JSON.stringify({ hints }));
      if (mask) body.append("mask", mask, "mask.png");
      if (reference) body.append("reference", reference, "reference");
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
    const word = WORDS[problem.reason];
    return new Refusal(word || problem.detail, problem.status >= 500, word && problem.detail);
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
    this.saturation = 1;
    // A small copy of the photo whose colors this one takes, and how many were chosen so far.
    this.reference = null;
    this.numReferences = 0;
    this.preview = null;
    this.numSeeds = 1;
    // What is shown: colorings in order, the wish they fulfill, and the number of their seeds.
    this.shown = { wish: "", numSeeds: 0, saturation: 1, colorings: [] };
    this.chosen = 0;
    this.isSaved = false;
    this.build();
    this.show("waiting");
    this.step("Waiting");
  }

  build() {
    this.card = find("#card").content.firstElementChild.cloneNode(true);
    const part = (name) => find(`.${name}`, this.card);
    this.parts = Object.fromEntries(["waiting", "problem", "result", "stage", "divider", "before",
      "after", "busy", "variants", "step", "reason", "detail", "facts", "note", "remove", "again",
      "more-colorings", "enlarge", "both", "copy", "share", "download"]
      .map((name) => [name, part(name)]));
    this.parts.progress = find("progress", this.card);
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
    this.parts.copy.hidden = !window.ClipboardItem;
    this.parts.share.hidden = !navigator.canShare;
    this.parts.remove.addEventListener("click", () => remove(this));
    this.parts.again.addEventListener("click", () => enqueue(this));
    this.parts.download.addEventListener("click", () => this.download());
    this.parts["more-colorings"].addEventListener("click", () => {
      this.numSeeds = this.shown.numSeeds + 1;
      enqueue(this);
    });
    this.parts.enlarge.addEventListener("click", () => enlarge(this));
    this.parts.both.addEventListener("click", async () => {
      const name = `${this.preview.name.replace(/\.[^.]*$/, "")}_before_after.jpg`;
      save(new File([await drawn([this.parts.before, this.parts.after], "image/jpeg")], name));
    });
    this.parts.copy.addEventListener("click", () => this.act("copy", "Copy", () => copy(
      drawn([this.parts.after], "image/png")), "is copied"));
    this.parts.share.addEventListener("click", () => this.act("share", "Share", async (onStep) =>
      share(await this.fetchColored(onStep)), "is shared"));
    this.parts.saturation.addEventListener("input", () => this.showAmount());
    this.parts.saturation.addEventListener("change", () => {
      this.saturation = Number(this.parts.saturation.value) / 100;
      enqueue(this);
    });
    part("like").hidden = !about.takes_hints;
    part("like").addEventListener("click", () => {
      if (this.reference) this.takeColors(null);
      else part("reference").click();
    });
    part("reference").addEventListener("change", async (event) => {
      const [file] = event.target.files;
      event.target.value = "";
      if (file) this.takeColors(await shrunk(file));
    });
    this.showAmount();
    makeSlider(this.parts.stage, this.parts.divider, this.file.name);
    this.hints = new HintEditor(this.card, (point, others) => this.suggest(point, others),
      () => enqueue(this));
    this.brush = new Brush(this.card, () => enqueue(this));
    part("fix").addEventListener("click", () => this.brush.open(false));
    part("keep-gray").addEventListener("click", () => {
      if (!part("hinting").hidden) this.hints.open(false);
    });
  }

  show(which) {
    for (const name of ["waiting", "problem", "result"]) this.parts[name].hidden = name !== which;
  }

  step(text, part) {
    this.parts.step.textContent = text;
    if (part === undefined) this.parts.progress.removeAttribute("value");
    else this.parts.progress.value = part;
  }

  /** Takes the colors of another photo, or no longer. */
  takeColors(reference) {
    this.reference = reference;
    this.numReferences += 1;
    find(".like", this.card).textContent = reference ? "Colors of its own" : "Colors of a photo";
    enqueue(this);
  }

  showAmount() {
    const percent = `${this.parts.saturation.value} %`;
    this.parts.amount.textContent = percent;
    this.parts.saturation.setAttribute("aria-valuetext", percent);
    // Until the server has answered, the browser shows about how it will be.
    const change = this.parts.saturation.value / 100 / (this.shown.saturation || 1);
    this.parts.stage.style.setProperty("--vivid", change);
  }

  /** What requests say of the colorings: with hints there is one. */
  get choice() {
    return { num_variants: this.isHinted ? 1 : NUM_VARIANTS, saturation: this.saturation };
  }

  /** All that colorings depend on but their seed. */
  get wish() {
    return JSON.stringify([this.choice, this.hints.forSize(1e6, 1e6), this.brush.strokes,
      this.reference && this.numReferences]);
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
      const { wish, isHinted } = this;
      if (this.shown.wish !== wish) await this.colorBySeed(0, []);
      while (wish === this.wish && !isHinted && this.shown.numSeeds < this.numSeeds) {
        await this.colorBySeed(this.shown.numSeeds, this.shown.colorings);
      }
      // What was asked for meanwhile is on its way.
      if (wish !== this.wish) return;
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

  /** Gets the colorings of one seed and shows them behind earlier ones. */
  async colorBySeed(seed, earlier) {
    const { wish, isHinted, choice, saturation } = this;
    const { file, width, height } = isHinted ? this.small : { file: this.file };
    const asked = { file, hints: this.hints.forSize(width, height), mask: await this.brush.mask(),
      parameters: { ...choice, seed } };
    const answer = await send("api/preview", this, asked, (...step) => this.step(...step));
    const preview = JSON.parse(await answer.text());
    if (wish !== this.wish) return;
    // A copy that was sent for hints says nothing new of the photo.
    if (!isHinted) this.preview = preview;
    // The first of each seed is the likeliest, the same for all.
    const colorings = preview.variants.map((source, index) => ({ source, seed, variant: index + 1 }))
      .slice(earlier.length ? 1 : 0);
    this.shown = { wish, numSeeds: seed + 1, saturation, colorings: [...earlier, ...colorings] };
    this.isSaved = false;
    this.showPreview();
    if (earlier.length) find(`input[value="${earlier.length}"]`, this.parts.variants)?.focus();
    this.parts["more-colorings"].hidden = earlier.length > 0 && !colorings.length;
  }

  fail(error) {
    this.show("problem");
    this.parts.result.hidden = this.preview === null;
    this.parts.reason.textContent = error.message;
    this.parts.detail.hidden = !error.detail;
    find("p", this.parts.detail).textContent = error.detail || "";
    this.parts.again.hidden = !(error instanceof Refusal && error.canRetry);
    say(`${this.file.name} did not work: ${error.message}`);
  }

  showPreview() {
    const { preview, parts } = this;
    const pages = preview.num_pages > 1 ? `, ${preview.num_pages} pages` : "";
    parts.facts.textContent = `${preview.width} × ${preview.height}, ${preview.kind}${pages}, ` +
      formatBytes(this.file.size);
    parts.note.hidden = !preview.has_colors;
    if (parts.before.src !== preview.before) parts.before.src = preview.before;
    parts.before.alt = `${this.file.name}, as it was`;
    parts.before.decode().then(() => {
      parts.stage.style.setProperty("--w", parts.before.naturalWidth);
      parts.stage.style.setProperty("--h", parts.before.naturalHeight);
    }, () => {});
    const { colorings } = this.shown;
    this.chosen = Math.min(this.chosen, colorings.length - 1);
    find(".choices-of-color", this.card).replaceChildren(
      ...colorings.map(({ source }, index) => this.makeChoice(source, index)));
    parts.variants.hidden = colorings.length === 1;
    this.showChosen();
    this.showAmount();
  }

  makeChoice(source, index) {
    const label = document.createElement("label");
    const input = document.createElement("input");
    const image = document.createElement("img");
    label.className = "coloring";
    Object.assign(input, { type: "radio", value: index, checked: index === this.chosen });
    input.name = `${this.card.getAttribute("aria-labelledby")}-variant`;
    input.setAttribute("aria-label", `Coloring ${index + 1}`);
    input.addEventListener("change", () => {
      this.chosen = index;
      this.isSaved = false;
      this.showChosen();
    });
    Object.assign(image, { src: source, alt: "", draggable: false });
    label.append(input, image);
    return label;
  }

  showChosen() {
    this.parts.after.src = this.shown.colorings[this.chosen].source;
    this.parts.after.alt = `${this.file.name}, coloring ${this.chosen + 1}`;
  }

  /** The chosen coloring at full size, as a file. */
  async fetchColored(onStep) {
    const { width, height, name } = this.preview;
    const { seed, variant } = this.shown.colorings[this.chosen];
    const asked = { file: this.file, hints: this.hints.forSize(width, height),
      mask: await this.brush.mask(), parameters: { ...this.choice, seed, variant } };
    const answer = await send("api/colorize", this, asked, onStep);
    return new File([answer], name, { type: answer.type });
  }

  download() {
    return this.act("download", "Download", async (onStep) => {
      save(await this.fetchColored(onStep));
      this.isSaved = true;
    }, "is downloaded");
  }

  /** Does what a button says, and says how it went. */
  async act(name, label, action, done) {
    await whileBusy(this.parts[name], label, async (onStep) => {
      this.parts.problem.hidden = true;
      try {
        await action(onStep);
        say(`${this.file.name} ${done}.`);
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
    if (event.button !== 0 || stage.matches(".is-hinting, .is-brushing")) return;
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
        photo.isSaved = true;
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

function say(text) {
  find("#status").textContent = text;
}

function formatPixels() {
  return `${Math.floor(about.max_pixels / 1e6) || "under 1"} megapixels`;
}

function formatBytes(count) {
  if (count < 1e6) return `${Math.max(1, Math.round(count / 1e3))} KB`;
  return `${(count / 1e6).toFixed(count < 1e7 ? 1 : 0)} MB`;
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

// A reload would lose what is not downloaded yet.
window.addEventListener("beforeunload", (event) => {
  if ([...photos].some((photo) => photo.preview && !photo.isSaved)) event.preventDefault();
});

for (const button of document.querySelectorAll(".sample")) {
  button.addEventListener("click", async () => {
    const answer = await fetch(find("img", button).src);
    add([new File([await answer.blob()], button.dataset.name, { type: "image/jpeg" })]);
  });
}

// --- One photo as large as it is

const full = find("#full");

async function enlarge(photo) {
  const image = find("img", full);
  const note = find(".step", full);
  image.src = photo.parts.after.src;
  image.alt = photo.parts.after.alt;
  image.width = photo.preview.width;
  full.showModal();
  note.textContent = "This is a preview. The photo itself is on its way.";
  try {
    const address = URL.createObjectURL(await photo.fetchColored(() => {}));
    full.addEventListener("close", () => URL.revokeObjectURL(address), { once: true });
    const whole = new Image();
    whole.src = address;
    await whole.decode();
    if (full.open) image.src = address;
    note.textContent = `${photo.preview.width} × ${photo.preview.height} pixels`;
  } catch {
    // Browsers show no TIFF.
    note.textContent = "This is a preview, enlarged.";
  }
}

find(".fit", full).addEventListener("click", (event) => {
  const isFit = full.classList.toggle("is-fit");
  event.target.textContent = isFit ? "Full size" : "Fit to window";
});
find(".close", full).addEventListener("click", () => full.close());

find("#add").addEventListener("click", () => find("#files").click());
find("#download-all").addEventListener("click", downloadAll);
find("#limits").textContent = `JPEG, PNG, TIFF, WebP, AVIF, HEIC and more, up to ` +
  `${formatBytes(about.max_bytes)} and ${formatPixels()} each. They keep their size and their ` +
  "metadata.";
