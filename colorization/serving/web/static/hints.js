"use strict";

// A person says what color things have: points on the photo, each with a color that is suggested,
// picked, or gray. Places are shares of width and height, so that they fit the photo at any size.

const NUDGES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const GRAY = "#808080";

class HintEditor {
  /**
   * @param {Element} card The photo's card.
   * @param {function} suggest Takes a place and the other points; gives suggested colors.
   * @param {function} onChange Called when colors are said anew.
   */
  constructor(card, suggest, onChange) {
    this.points = [];
    this.past = [];
    this.selected = -1;
    this.suggest = suggest;
    this.onChange = onChange;
    const part = (name) => card.querySelector(`.${name}`);
    this.parts = Object.fromEntries(["stage", "points", "fix", "hinting", "how", "palette", "swatches",
      "gray", "take-away", "add-point", "undo", "done"].map((name) => [name, part(name)]));
    this.parts.any = card.querySelector(".any input");
    this.parts.fix.hidden = !about.takes_hints;
    this.listen();
  }

  listen() {
    const { parts } = this;
    parts.fix.addEventListener("click", () => this.open(parts.hinting.hidden));
    parts.done.addEventListener("click", () => this.open(false));
    parts.stage.addEventListener("click", (event) => {
      if (parts.hinting.hidden || event.target.closest(".point")) return;
      this.add(...this.place(event));
    });
    parts["add-point"].addEventListener("click", () => this.add(0.5, 0.5));
    parts.gray.addEventListener("click", () => this.paint(GRAY));
    parts.any.addEventListener("change", () => this.paint(parts.any.value));
    parts["take-away"].addEventListener("click", () => this.takeAway());
    parts.undo.addEventListener("click", () => this.undo());
    for (const area of [parts.stage, parts.hinting]) {
      area.addEventListener("keydown", (event) => {
        if (event.key === "Escape" && !parts.hinting.hidden) this.open(false);
        if (event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey)) this.undo();
      });
    }
  }

  /** Hints for a picture of this size, as the server takes them. */
  forSize(width, height, points = this.points) {
    return points.filter((point) => point.color).map((point) => (
      { point: HintEditor.pixel(point, width, height), color: point.color }));
  }

  static pixel({ x, y }, width, height) {
    const at = (share, size) => Math.round(Math.min(Math.max(share * size - 0.5, 0), size - 1));
    return [at(x, width), at(y, height)];
  }

  open(isOpen) {
    const { parts } = this;
    parts.hinting.hidden = !isOpen;
    parts.stage.classList.toggle("is-hinting", isOpen);
    parts.fix.setAttribute("aria-expanded", isOpen);
    if (isOpen) {
      this.draw();
      parts["add-point"].focus({ preventScroll: true });
    } else {
      parts.fix.focus({ preventScroll: true });
    }
  }

  place(event) {
    const box = this.parts.stage.getBoundingClientRect();
    const share = (value) => Math.min(Math.max(value, 0), 1);
    return [share((event.clientX - box.left) / box.width),
      share((event.clientY - box.top) / box.height)];
  }

  add(x, y) {
    this.set([...this.points, { x, y, color: null }], this.points.length);
    this.focus();
  }

  paint(color) {
    this.set(this.points.map((point, index) => (
      index === this.selected ? { ...point, color } : point)), this.selected);
  }

  move(x, y) {
    this.set(this.points.map((point, index) => (
      index === this.selected ? { ...point, x, y } : point)), this.selected);
  }

  takeAway() {
    this.set(this.points.filter((_, index) => index !== this.selected), -1);
    this.parts["add-point"].focus({ preventScroll: true });
  }

  undo() {
    if (!this.past.length) return;
    const points = this.past.pop();
    this.show(points, Math.min(this.selected, points.length - 1));
  }

  set(points, selected) {
    this.past.push(this.points);
    this.show(points, selected);
  }

  show(points, selected) {
    const said = (all) => JSON.stringify(all.filter((point) => point.color));
    const isNew = said(points) !== said(this.points);
    this.points = points;
    this.select(selected);
    if (isNew) this.onChange();
  }

  select(index) {
    this.selected = index;
    this.draw();
    this.lookUp();
  }

  focus() {
    this.parts.points.children[this.selected]?.focus({ preventScroll: true });
  }

  draw() {
    const { parts } = this;
    const hadFocus = parts.points.contains(document.activeElement);
    parts.points.replaceChildren(...this.points.map((point, index) => this.makePoint(point, index)));
    if (hadFocus) this.focus();
    // Not `disabled`, which would take the focus away.
    parts.undo.setAttribute("aria-disabled", this.past.length === 0);
    parts.palette.hidden = this.selected < 0;
    parts.how.hidden = this.selected >= 0;
  }

  makePoint({ x, y, color }, index) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "point";
    const isSelected = index === this.selected;
    button.setAttribute("aria-pressed", isSelected);
    button.setAttribute("aria-label", `Point ${index + 1}, ${color || "no color yet"}, ` +
      `${Math.round(100 * x)} % from left, ${Math.round(100 * y)} % from top`);
    button.style.setProperty("--x", `${100 * x}%`);
    button.style.setProperty("--y", `${100 * y}%`);
    if (color) button.style.setProperty("--color", color);
    button.addEventListener("click", () => {
      if (index !== this.selected) this.select(index);
      this.focus();
    });
    button.addEventListener("keydown", (event) => this.nudge(event, index));
    this.makeDraggable(button, index);
    return button;
  }

  nudge(event, index) {
    const step = NUDGES[event.key];
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (step) {
      event.preventDefault();
      this.selected = index;
      const far = event.shiftKey ? 0.1 : 0.01;
      const { x, y } = this.points[index];
      const share = (value) => Math.min(Math.max(value, 0), 1);
      this.move(share(x + far * step[0]), share(y + far * step[1]));
    } else if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      this.selected = index;
      this.takeAway();
    }
  }

  makeDraggable(button, index) {
    let moved = null;
    button.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      button.setPointerCapture(event.pointerId);
      moved = null;
    });
    button.addEventListener("pointermove", (event) => {
      if (!button.hasPointerCapture(event.pointerId)) return;
      const [x, y] = this.place(event);
      const box = this.parts.stage.getBoundingClientRect();
      const { x: oldX, y: oldY } = this.points[index];
      // A hand that shakes moves nothing.
      if (!moved && Math.hypot((x - oldX) * box.width, (y - oldY) * box.height) < 14) return;
      moved = [x, y];
      button.style.setProperty("--x", `${100 * x}%`);
      button.style.setProperty("--y", `${100 * y}%`);
    });
    button.addEventListener("pointerup", () => {
      if (!moved) return;
      this.selected = index;
      this.move(...moved);
    });
  }

  /** Fills the palette of the selected point. */
  async lookUp() {
    const point = this.points[this.selected];
    if (!point) return;
    const { swatches, any } = this.parts;
    any.value = point.color || GRAY;
    const others = this.points.filter((other) => other !== point && other.color);
    const asked = JSON.stringify([point.x, point.y, others]);
    if (!about.gives_suggestions || this.asked === asked) return;
    this.asked = asked;
    swatches.textContent = "Looking for likely colors";
    let found;
    try {
      found = await this.suggest(point, others);
    } catch (error) {
      // The point has been moved, or the photo removed.
      if (this.asked === asked && error.name !== "AbortError") swatches.textContent = error.message;
      return;
    }
    if (this.asked !== asked) return;
    swatches.replaceChildren(...found.map(({ color, share }) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "swatch";
      button.style.setProperty("--color", color);
      const percent = `${Math.round(100 * share)} %`;
      button.textContent = percent;
      button.setAttribute("aria-label", `${color}, ${percent} likely`);
      button.addEventListener("click", () => this.paint(color));
      return button;
    }));
  }
}
