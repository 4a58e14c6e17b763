"""Metadata of a photo, from an image of libvips and the file; XMP and IPTC packets.

Packets are bytes, which are read, changed and wrapped; a damaged one is left out.

Sources: ISO 16684-1 (XMP); IPTC Photo Metadata 2025.1; IPTC-NAA IIM 4.2; Adobe Photoshop file
formats (image resources).
"""

import contextlib
import dataclasses
import io
import re
import struct
import threading
from xml.etree import ElementTree

import numpy as np

from pipelines.photos import exif, headers, icc, tiff
from pipelines.photos.photo import Metadata, Photo

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_EXTENSION = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
_PREFIXES = {"rdf": _RDF, "x": "adobe:ns:meta/", "Iptc4xmpExt": _EXTENSION}
_STALE = ("{http://ns.adobe.com/xap/1.0/}Thumbnails", "{http://ns.adobe.com/exif/1.0/}ColorSpace")
_STALE_SPACES = (
    "{http://ns.adobe.com/hdr-gain-map/",
    "{http://ns.apple.com/HDRGainMap/",
    "{http://ns.google.com/photos/1.0/camera/}M",  # MotionPhoto, MicroVideo
    "{http://ns.google.com/photos/1.0/container/",
)
_XMP_ORIENTATION = re.compile(
    rb"""(tiff:Orientation\s*(?:=\s*["']|>\s*))([1-8])(?=\s*(?:["']|<))""",
)
_EMPTY = f'<x:xmpmeta xmlns:x="{_PREFIXES["x"]}"><rdf:RDF xmlns:rdf="{_RDF}"/></x:xmpmeta>'
_IPTC_RESOURCE = 0x0404
_LOCK = threading.Lock()


def xmp_orientation(xmp):
    """Reads the way up from an XMP packet: 1 to 8, or None where it does not say."""
    match = _XMP_ORIENTATION.search(xmp)
    return int(match[2]) if match else None


def upright_xmp(xmp):
    """Returns the XMP packet with its orientation set to 1, and otherwise byte for byte."""
    return _XMP_ORIENTATION.sub(rb"\g<1>1", xmp)


def annotate(xmp, note):
    """Writes into an XMP packet that the photo's colors are computed, and by what.

    Every other property stays, except for what is true of the old file alone: thumbnails, gain
    maps, the film of a motion photo and the color space. `xmp` is None or a packet, of which a
    damaged one is replaced.

    Source: IPTC Photo Metadata 2025.1: Digital Source Type, AI System Used, AI System Version Used.
    """
    root, prefixes = _parse(xmp) or (ElementTree.fromstring(_EMPTY), {})
    rdf = root if root.tag == f"{{{_RDF}}}RDF" else root.find(f".//{{{_RDF}}}RDF")
    description = rdf.find(f"{{{_RDF}}}Description")
    if description is None:
        about = {f"{{{_RDF}}}about": ""}
        description = ElementTree.SubElement(rdf, f"{{{_RDF}}}Description", about)
    properties = {
        "DigitalSourceType": _SOURCE,
        "AISystemUsed": note.model,
        "AISystemVersionUsed": note.version,
    }
    names = {f"{{{_EXTENSION}}}{name}": text for name, text in properties.items()}
    for element in rdf.findall(f"{{{_RDF}}}Description"):
        for name in [key for key in element.attrib if key in names or _is_stale(key)]:
            del element.attrib[name]
        for child in [child for child in element if child.tag in names or _is_stale(child.tag)]:
            element.remove(child)
    for name, text in names.items():
        ElementTree.SubElement(description, name).text = text
    return _serialize(root, prefixes)


def _is_stale(name):
    return name in _STALE or name.startswith(_STALE_SPACES)


def _parse(xmp):
    """The root of a packet and its prefixes by address; None for none, or one that is damaged."""
    # A packet needs no document type, whose entities could grow without bound.
    if xmp and b"<!DOCTYPE" not in xmp:
        prefixes, root = {}, None
        try:
            # Spaces after the end of the packet, or a byte zero, are common.
            source = io.BytesIO(xmp.strip(b"\0 \t\r\n"))
            for event, item in ElementTree.iterparse(source, ("start-ns", "start")):
                if event == "start-ns":
                    prefixes.setdefault(item[1], item[0])
                elif root is None:
                    root = item
            if root.tag == f"{{{_RDF}}}RDF" or root.find(f".//{{{_RDF}}}RDF") is not None:
                return root, prefixes
        except (ElementTree.ParseError, ValueError, LookupError):
            pass
    return None


def _serialize(root, prefixes):
    # The prefixes that are written come from a table of the whole process.
    with _LOCK:
        for address, prefix in (*prefixes.items(), *((u, p) for p, u in _PREFIXES.items())):
            if prefix and not re.fullmatch(r"ns\d+", prefix):
                ElementTree.register_namespace(prefix, address)
        text = ElementTree.tostring(root, encoding="unicode")
    begin = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    return f'{begin}{text}<?xpacket end="w"?>'.encode()


def iptc_of_resources(resources):
    """Takes the IPTC data sets, or None, out of Photoshop's image resources.

    These may stand in a JPEG file's block, and data sets by themselves are taken as well.
    """
    position = len(b"Photoshop 3.0\0") if resources.startswith(b"Photoshop 3.0\0") else 0
    if resources[position : position + 1] == b"\x1c":
        return resources[position:]
    while resources[position : position + 4] == b"8BIM" and position + 12 <= len(resources):
        number = struct.unpack_from(">H", resources, position + 4)[0]
        # The name is padded to an even length together with the byte that holds its length.
        position += 6 + (resources[position + 6] + 2) // 2 * 2
        if position + 4 > len(resources):
            break
        length = struct.unpack_from(">I", resources, position)[0]
        value = resources[position + 4 : position + 4 + length]
        if number == _IPTC_RESOURCE and value:
            return value
        position += 4 + length + length % 2
    return None


def resources_of_iptc(iptc):
    """Wraps IPTC data sets as one of Photoshop's image resources."""
    header = b"8BIM" + struct.pack(">HHI", _IPTC_RESOURCE, 0, len(iptc))
    return header + iptc + b"\0" * (len(iptc) % 2)


def orientation(kind, image, about):
    """Reads the way up of a file's pixels, from 1 to 8."""
    if kind.name == "TIFF":
        return image.get("orientation") if image.get_typeof("orientation") else 1
    if kind.name in ("GIF", "AVIF"):
        return 1  # What AVIF holds is turned by its decoder.
    turn = exif.orientation_of(about.exif) if about.exif else None
    # Files of programs that write no Exif, as older PNG, say it in XMP alone.
    return turn or (xmp_orientation(about.xmp) if about.xmp else None) or 1


def resolution(kind, image, data):
    """Resolution that the file gives outside Exif; None where libvips would guess 72."""
    if kind.name == "JPEG":
        return headers.jfif_resolution(data)
    if kind.name == "PNG":
        return headers.png_resolution(data)
    if kind.name == "TIFF" and 1 not in (image.xres, image.yres):
        return tuple(headers.per_inch(density, 25.4) for density in (image.xres, image.yres))
    return None


def metadata_of(image):
    """Collects the `Metadata` that libvips read."""

    def blob(name):
        return bytes(image.get(name)) if image.get_typeof(name) else None

    fields = image.get_fields()
    resources = blob("iptc-data") or blob("photoshop-data")
    for name in fields:
        if name.startswith("png-comment-") and name.endswith("Raw profile type iptc"):
            # As ImageMagick writes it: a name, a length and hexadecimal digits.
            with contextlib.suppress(ValueError):
                resources = bytes.fromhex("".join(image.get(name).split()[2:]))
    block = (blob("exif-data") or b"").removeprefix(b"Exif\0\0")
    return Metadata(
        exif=block or None,
        xmp=blob("xmp-data"),
        iptc=iptc_of_resources(resources) if resources else None,
        resolution=exif.resolution_of(block),
        tagged=icc.PROFILE in fields,
    )


def add_tiff_tags(about, block, start):
    """Adds the metadata of a TIFF page that libvips leaves out."""
    # Photoshop says that IPTC are long numbers, and libtiff swaps them in big-endian files.
    iptc = block.raw(block.directory(start)[0], tiff.IPTC)
    return dataclasses.replace(
        about,
        exif=exif.build(exif.descriptive_tags(block, start)),
        iptc=(iptc and iptc_of_resources(iptc)) or about.iptc,
    )


def upright(pixels, turn, about):
    """Makes a `Photo` of pixels as they were stored, and of the file's metadata."""
    swapped, over, across = turn >= 5, turn in (3, 4, 7, 8), turn in (2, 3, 6, 7)
    pixels = pixels.swapaxes(0, 1) if swapped else pixels
    pixels = pixels[:: -1 if over else 1, :: -1 if across else 1]
    turned = exif.upright(about.exif, swapped) if about.exif else None
    xmp = upright_xmp(about.xmp) if _parse(about.xmp) else None
    lost = (("Exif", about.exif and not turned), ("XMP", about.xmp and not xmp))
    remarks = tuple(f"its {name} metadata are damaged and left out." for name, is_ in lost if is_)
    about = dataclasses.replace(
        about,
        exif=turned,
        xmp=xmp,
        resolution=about.resolution[::-1] if swapped and about.resolution else about.resolution,
    )
    alpha = np.ascontiguousarray(pixels[..., 3]) if pixels.shape[2] == 4 else None
    return Photo(np.ascontiguousarray(pixels[..., :3]), alpha, about, remarks)
