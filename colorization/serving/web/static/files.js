"use strict";

// What becomes of colored photos: saved, drawn side by side, copied, shared, put into one archive.

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

/** A small copy of a photo, where the browser can read it: what is seen of it is enough. */
async function shrunk(file, longer = 768) {
  try {
    const image = await createImageBitmap(file);
    const scale = Math.min(1, longer / Math.max(image.width, image.height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(scale * image.width));
    canvas.height = Math.max(1, Math.round(scale * image.height));
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.95));
  } catch {
    return file;
  }
}

/** Pictures of one size side by side, as they are shown. */
async function drawn(images, type) {
  const canvas = document.createElement("canvas");
  canvas.width = images.length * images[0].naturalWidth;
  canvas.height = images[0].naturalHeight;
  const context = canvas.getContext("2d");
  images.forEach((image, index) => context.drawImage(image, index * images[0].naturalWidth, 0));
  return new Promise((resolve) => canvas.toBlob(resolve, type, 0.92));
}

/** Puts a picture on the clipboard; browsers want its promise before they look away. */
function copy(picture) {
  return navigator.clipboard.write([new ClipboardItem({ "image/png": picture })]);
}

async function share(file) {
  const files = [file];
  if (!navigator.canShare({ files })) throw new Error("Photos of this kind can't be shared. Download it.");
  await navigator.share({ files });
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
