"""Small synthetic DICOM files in every transfer syntax and photometric interpretation that the reader takes, and what
pydicom makes of them: stored values and 8-bit RGB.

Needs pydicom, numpy, pylibjpeg, pylibjpeg-libjpeg, pylibjpeg-openjpeg, pyjpegls, and imagecodecs (the JPEG encoders).
Writes fixtures/dicom/*.dcm and fixtures/dicom/expected.json. No real patient is in them; the "identifying" values are made up.
"""
import base64
import json
import warnings
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
from pydicom import uid
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.pixels import apply_modality_lut, apply_voi_lut, compress, pixel_array
from pydicom.sequence import Sequence
from pydicom.tag import Tag

warnings.filterwarnings("ignore")
OUT = Path(__file__).parent / "fixtures" / "dicom"
OUT.mkdir(parents=True, exist_ok=True)
for old in OUT.rglob("*.dcm"):
    old.unlink()
W, H = 16, 12
ROOT = "1.2.826.0.1.3680043.8.498.7"
expected = {}
counter = 0

yy, xx = np.mgrid[0:H, 0:W]


def grey(bits, signed=False, phase=0):
    """A ramp with a bright disc; fills the range of `bits`."""
    ramp = (xx / (W - 1) * 0.7 + yy / (H - 1) * 0.2)
    disc = ((xx - 5 - phase) ** 2 + (yy - 5) ** 2 < 9) * 0.3
    values = np.clip(ramp + disc, 0, 1) * (2**bits - 1)
    if signed:
        values -= 2 ** (bits - 1)
    return np.round(values).astype(np.int32)


def colour():
    red = xx / (W - 1) * 255
    green = yy / (H - 1) * 255
    blue = 255 - (red + green) / 2
    image = np.stack([red, green, blue], axis=-1)
    image[2:6, 2:6] = [200, 30, 60]
    return np.round(image).astype(np.uint8)


def to_ybr(rgb):
    return pydicom.pixels.convert_color_space(rgb, "RGB", "YBR_FULL")


def dataset(syntax, *, bits=16, stored=None, signed=False, samples=1, photometric="MONOCHROME2", planar=0, frames=1, modality="CT", sop="1.2.840.10008.5.1.4.1.1.2"):
    global counter
    counter += 1
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop
    meta.MediaStorageSOPInstanceUID = f"{ROOT}.{counter}"
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = f"{ROOT}.0"
    ds = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID = sop
    ds.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    ds.StudyInstanceUID = f"{ROOT}.1000"
    ds.SeriesInstanceUID = f"{ROOT}.2000.{counter}"
    ds.Modality = modality
    ds.Rows, ds.Columns = H, W
    ds.SamplesPerPixel = samples
    ds.PhotometricInterpretation = photometric
    if samples > 1:
        ds.PlanarConfiguration = planar
    ds.BitsAllocated = bits
    ds.BitsStored = stored or bits
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(signed)
    if frames > 1:
        ds.NumberOfFrames = frames
    ds.BurnedInAnnotation = "NO"
    return ds


def put(ds, array, *, big=False):
    dtype = {8: "u1", 16: "u2", 32: "u4"}[ds.BitsAllocated]
    mask = (1 << ds.BitsStored) - 1
    data = (array.astype(np.int64) & mask).astype((">" if big else "<") + dtype).tobytes()
    ds.PixelData = data + b"\0" * (len(data) % 2)
    ds["PixelData"].VR = "OB" if ds.BitsAllocated == 8 else "OW"


def display(ds, array, index=0):
    """8-bit grey as pydicom's LUTs give it, scaled from their own range."""
    values = apply_modality_lut(array, ds)
    if "VOILUTSequence" in ds:
        out = apply_voi_lut(values, ds, index=index).astype(float)
        lut = ds.VOILUTSequence[index].LUTDescriptor[2]
        low, high = 0, 2**lut - 1
    elif "WindowCenter" in ds:
        out = apply_voi_lut(values, ds, index=index).astype(float)
        if ds.PixelRepresentation:
            low, high = -(2 ** (ds.BitsStored - 1)), 2 ** (ds.BitsStored - 1) - 1
        else:
            low, high = 0, 2**ds.BitsStored - 1
        if "ModalityLUTSequence" in ds:
            low, high = 0, 2 ** ds.ModalityLUTSequence[0].LUTDescriptor[2] - 1
        elif "RescaleSlope" in ds:
            low, high = low * ds.RescaleSlope + ds.RescaleIntercept, high * ds.RescaleSlope + ds.RescaleIntercept
    elif ds.BitsStored == 8 and not ds.PixelRepresentation and "RescaleSlope" not in ds and "ModalityLUTSequence" not in ds:
        out, low, high = values.astype(float), 0, 255
    else:
        out = values.astype(float)
        keep = np.ones(array.shape, bool)
        if "PixelPaddingValue" in ds:
            last = ds.get("PixelPaddingRangeLimit", ds.PixelPaddingValue)
            keep = (array < min(ds.PixelPaddingValue, last)) | (array > max(ds.PixelPaddingValue, last))
        low, high = out[keep].min(), out[keep].max()
    scaled = np.clip((out - low) / (high - low if high > low else 1), 0, 1) * 255
    if ds.PhotometricInterpretation == "MONOCHROME1":
        scaled = 255 - scaled
    if "PixelPaddingValue" in ds:
        last = ds.get("PixelPaddingRangeLimit", ds.PixelPaddingValue)
        low, high = sorted([ds.PixelPaddingValue, last])
        scaled[(array >= low) & (array <= high)] = 0
    return np.floor(scaled + 0.5).astype(np.uint8)


def b64(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def save(name, ds, *, tolerance=0, frames=1, check=None, note=None, big=False, rgb=None):
    path = OUT / f"{name}.dcm"
    pydicom.dcmwrite(path, ds, enforce_file_format=True) if not big else pydicom.dcmwrite(path, ds, enforce_file_format=True, little_endian=False, implicit_vr=False)
    read = pydicom.dcmread(path)
    images = []
    for index in range(frames):
        if rgb is not None:
            images.append(rgb)
            continue
        if read.PhotometricInterpretation == "PALETTE COLOR":
            array = pixel_array(read, index=index)
            table = pydicom.pixels.apply_color_lut(array, read)
            images.append((table >> 8).astype(np.uint8) if table.dtype == np.uint16 else table)
            continue
        array = pixel_array(read, index=index)
        if read.SamplesPerPixel == 3:
            images.append(array.astype(np.uint8))
        else:
            g = display(read, array.astype(np.int64))
            images.append(np.stack([g] * 3, axis=-1))
            if check is not None:
                assert np.abs(array.astype(np.int64) - check[index]).max() <= tolerance, name
    expected[name] = {
        "width": int(read.Columns), "height": int(read.Rows), "frames": frames, "tolerance": tolerance,
        "syntax": str(read.file_meta.TransferSyntaxUID), "photometric": str(read.PhotometricInterpretation),
        "rgb": [b64(image) for image in images], **({"note": note} if note else {}),
    }


def window(ds, centre, width, function=None):
    ds.WindowCenter, ds.WindowWidth = centre, width
    if function:
        ds.VOILUTFunction = function


def rescale(ds, slope, intercept):
    ds.RescaleSlope, ds.RescaleIntercept = slope, intercept


# --- Native transfer syntaxes -------------------------------------------------------------------------------------------------------
ct = grey(12)
for name, syntax in [("implicit-le", uid.ImplicitVRLittleEndian), ("explicit-le", uid.ExplicitVRLittleEndian), ("deflated", uid.DeflatedExplicitVRLittleEndian)]:
    ds = dataset(syntax, stored=12)
    rescale(ds, 1, -1024)
    window(ds, [40, 600], [400, 1500])
    put(ds, ct)
    save(name, ds)
ds = dataset(uid.ExplicitVRBigEndian, stored=12)
rescale(ds, 1, -1024)
window(ds, 400, 2000)
put(ds, ct, big=True)
save("explicit-be", ds, big=True)
ds = dataset(uid.ExplicitVRBigEndian, bits=8)
put(ds, grey(8), big=True)
ds["PixelData"].VR = "OB"
save("explicit-be-8", ds, big=True)

# --- Grey values --------------------------------------------------------------------------------------------------------------------
def native(name, array, *, then=None, **how):
    ds = dataset(uid.ExplicitVRLittleEndian, **how)
    put(ds, array)
    if then:
        then(ds)
    save(name, ds)


native("grey-8", grey(8), bits=8)
native("grey-8-window", grey(8), bits=8, then=lambda ds: window(ds, 100, 80))
native("grey-16-minmax", grey(16), bits=16)
native("grey-signed", grey(16, True), signed=True, then=lambda ds: window(ds, -2000, 30000))
native("grey-signed-12", grey(12, True), stored=12, signed=True, then=lambda ds: (rescale(ds, 2, 10), window(ds, 0, 2500)))
native("linear-exact", grey(12), stored=12, then=lambda ds: window(ds, 1500.5, 1200, "LINEAR_EXACT"))
native("sigmoid", grey(12), stored=12, then=lambda ds: window(ds, 1800, 900, "SIGMOID"))
native("window-1", grey(12), stored=12, then=lambda ds: window(ds, 2000, 1))
native("monochrome1", grey(12), stored=12, photometric="MONOCHROME1", modality="CR", then=lambda ds: window(ds, 2000, 3000))
native("grey-32", grey(20).astype(np.int64) * 3, bits=32, stored=32, modality="PT", then=lambda ds: rescale(ds, 0.5, 3))


def lut(first, bits, values, kind=None):
    item = Dataset()
    item.LUTDescriptor = [len(values), first, bits]
    item["LUTDescriptor"].VR = "US"
    if kind:
        item.ModalityLUTType = kind
    item.LUTData = [int(v) for v in values]
    item["LUTData"].VR = "US"
    return item


def modality_lut(ds):
    ds.ModalityLUTSequence = Sequence([lut(100, 16, np.round(np.sqrt(np.arange(3000) / 2999) * 65535), "US")])
    window(ds, 32000, 56000)


def voi_lut(ds):
    ds.VOILUTSequence = Sequence([lut(500, 10, np.round((np.arange(2500) / 2499) ** 2 * 1023))])


native("modality-lut", grey(12), stored=12, modality="CR", then=modality_lut)
native("voi-lut", grey(12), stored=12, modality="DX", then=voi_lut)
padded = grey(12, True)
padded[:3, :] = -2000
def padding(ds):
    ds.add(DataElement(0x00280120, "SS", -2000))
native("padding", padded, stored=12, signed=True, then=padding)
ranged = grey(12)
ranged[0, :] = 4090
ranged[1, :] = 4095
ranged[2:, :] = np.minimum(ranged[2:, :], 4000)
def padding_range(ds):
    ds.add(DataElement(0x00280120, "US", 4090))
    ds.add(DataElement(0x00280121, "US", 4095))
native("padding-range-mono1", ranged, stored=12, photometric="MONOCHROME1", modality="MG", then=padding_range)

# Twelve bits in the middle of sixteen (high bit 13), with an old overlay in the bits around them.
ds = dataset(uid.ExplicitVRLittleEndian, stored=12)
put(ds, ct)
raw = ((ct.astype(np.uint32) << 2) | 0x8001).astype("<u2")
window(ds, 2048, 4096)
reference = display(ds, ct)
ds.HighBit = 13
ds.PixelData = raw.tobytes()
save("high-bit-13", ds, rgb=np.stack([reference] * 3, axis=-1))

# One bit a pixel.
bits = (grey(8) > 128).astype(np.uint8)
ds = dataset(uid.ExplicitVRLittleEndian, bits=8)
ds.BitsAllocated = ds.BitsStored = 1
ds.HighBit = 0
ds.PixelData = np.packbits(bits.reshape(-1), bitorder="little").tobytes()
ds["PixelData"].VR = "OB"
save("one-bit", ds, rgb=np.stack([bits * 255] * 3, axis=-1))

# --- Colour -------------------------------------------------------------------------------------------------------------------------
rgb = colour()
ybr = to_ybr(rgb)
US = "1.2.840.10008.5.1.4.1.1.6.1"
for planar in (0, 1):
    for photometric, image in [("RGB", rgb), ("YBR_FULL", ybr)]:
        ds = dataset(uid.ExplicitVRLittleEndian, bits=8, samples=3, photometric=photometric, planar=planar, modality="US", sop=US)
        put(ds, image if planar == 0 else image.transpose(2, 0, 1))
        save(f"{photometric.lower().replace('_', '-')}-planar-{planar}", ds, tolerance=0 if photometric == "RGB" else 1)
# Two pixels share their chroma: Y1 Y2 Cb Cr.
ds = dataset(uid.ExplicitVRLittleEndian, bits=8, samples=3, photometric="YBR_FULL_422", modality="US", sop=US)
packed = np.empty((H, W // 2, 4), np.uint8)
packed[..., 0], packed[..., 1] = ybr[:, 0::2, 0], ybr[:, 1::2, 0]
packed[..., 2], packed[..., 3] = ybr[:, 0::2, 1], ybr[:, 0::2, 2]
ds.PixelData = packed.tobytes()
ds["PixelData"].VR = "OB"
save("ybr-full-422", ds, tolerance=1)


def palette(ds, bits=16, first=0):
    ramp = np.arange(256)
    for name, values in [("Red", ramp), ("Green", 255 - ramp), ("Blue", (ramp * 3) % 256)]:
        table = values.astype(np.uint16) * (257 if bits == 16 else 1)
        setattr(ds, f"{name}PaletteColorLookupTableDescriptor", [256, first, bits])
        ds[f"{name}PaletteColorLookupTableDescriptor"].VR = "US"
        data = table.astype("<u2").tobytes() if bits == 16 else table.astype(np.uint8).tobytes()
        setattr(ds, f"{name}PaletteColorLookupTableData", data)
        ds[f"{name}PaletteColorLookupTableData"].VR = "OW"


for bits in (8, 16):
    ds = dataset(uid.ExplicitVRLittleEndian, bits=8, photometric="PALETTE COLOR", modality="US", sop=US)
    put(ds, grey(8))
    palette(ds, bits)
    save(f"palette-{bits}", ds)
ds = dataset(uid.ExplicitVRLittleEndian, bits=16, photometric="PALETTE COLOR", modality="NM")
put(ds, grey(9))
palette(ds, 16, first=100)
save("palette-first-100", ds)

# --- Compressed ---------------------------------------------------------------------------------------------------------------------
def compressed(name, array, syntax, frames=1, tolerance=0, photometric=None, check=True, options=None, **how):
    ds = dataset(uid.ExplicitVRLittleEndian, frames=frames, photometric=photometric or "MONOCHROME2", **how)
    if syntax in uid.JPEG2000TransferSyntaxes:
        # Too small for the encoder's six resolutions otherwise.
        for axis in (1, 2) if frames > 1 else (0, 1):
            array = array.repeat(3, axis=axis)
        ds.Rows, ds.Columns = 3 * H, 3 * W
    put(ds, array)
    if ds.SamplesPerPixel == 1 and ds.BitsStored > 8:
        window(ds, 0 if how.get("signed") else 2 ** (ds.BitsStored - 1), 2**ds.BitsStored * 0.7)
    compress(ds, syntax, generate_instance_uid=False, **(options or {}))
    stack = array if frames > 1 else array[None]
    save(name, ds, frames=frames, tolerance=tolerance, check=stack if check and ds.SamplesPerPixel == 1 else None)


compressed("rle-8", grey(8), uid.RLELossless, bits=8)
compressed("rle-16", grey(16), uid.RLELossless)
compressed("rle-signed", grey(12, True), uid.RLELossless, stored=12, signed=True)
compressed("rle-rgb", rgb, uid.RLELossless, bits=8, samples=3, photometric="RGB", modality="US", sop=US)
compressed("rle-ybr", ybr, uid.RLELossless, bits=8, samples=3, photometric="YBR_FULL", modality="US", sop=US, tolerance=1)
compressed("rle-frames", np.stack([grey(12, phase=p) for p in range(3)]), uid.RLELossless, frames=3, stored=12)
compressed("jpegls-8", grey(8), uid.JPEGLSLossless, bits=8)
compressed("jpegls-12", grey(12), uid.JPEGLSLossless, stored=12)
compressed("jpegls-signed", grey(16, True), uid.JPEGLSLossless, signed=True)
compressed("jpegls-rgb", rgb, uid.JPEGLSLossless, bits=8, samples=3, photometric="RGB", modality="US", sop=US)
compressed("jpegls-near", grey(12), uid.JPEGLSNearLossless, stored=12, tolerance=4, options={"jls_error": 3})
compressed("j2k-8", grey(8), uid.JPEG2000Lossless, bits=8)
compressed("j2k-12", grey(12), uid.JPEG2000Lossless, stored=12)
compressed("j2k-signed", grey(16, True), uid.JPEG2000Lossless, signed=True)
compressed("j2k-rgb", rgb, uid.JPEG2000Lossless, bits=8, samples=3, photometric="RGB", modality="US", sop=US)
compressed("j2k-rct", rgb, uid.JPEG2000Lossless, bits=8, samples=3, photometric="YBR_RCT", modality="US", sop=US)
compressed("j2k-ict", rgb, uid.JPEG2000, bits=8, samples=3, photometric="YBR_ICT", modality="US", sop=US, tolerance=2, options={"j2k_psnr": [50]})
compressed("j2k-lossy", grey(12), uid.JPEG2000, stored=12, check=False, tolerance=1, options={"j2k_psnr": [60]})
compressed("j2k-lossy-frames", np.stack([grey(8, phase=p) for p in range(3)]), uid.JPEG2000, frames=3, bits=8, check=False, tolerance=1, options={"j2k_psnr": [60]})


def jpeg(name, frames, syntax, *, offsets=True, extended=False, fragments=1, tolerance=2, reference=None, photometric="MONOCHROME2", windowed=None, **how):
    ds = dataset(syntax, photometric=photometric, frames=len(frames), **how)
    if extended:
        data, table, lengths = encapsulate_extended(frames)
        ds.PixelData, ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths = data, table, lengths
    else:
        ds.PixelData = encapsulate(frames, fragments_per_frame=fragments, has_bot=offsets)
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    if windowed:
        window(ds, *windowed)
    save(name, ds, frames=len(frames), tolerance=tolerance, rgb=reference)


def baseline(image, level=90, **how):
    return imagecodecs.jpeg8_encode(image.astype(np.uint8), level=level, **how)


jpeg("jpeg-baseline-grey", [baseline(grey(8))], uid.JPEGBaseline8Bit, bits=8, modality="US", sop=US)
jpeg("jpeg-baseline-420", [baseline(rgb, subsampling="420")], uid.JPEGBaseline8Bit, bits=8, samples=3, photometric="YBR_FULL_422", modality="US", sop=US, tolerance=40)
jpeg("jpeg-baseline-444", [baseline(rgb, subsampling="444")], uid.JPEGBaseline8Bit, bits=8, samples=3, photometric="YBR_FULL", modality="US", sop=US, tolerance=3)
# Stored as RGB without any marker that says so: only the photometric interpretation tells.
plain = baseline(rgb, level=95, subsampling="444", colorspace="RGB", outcolorspace="RGB")
def no_app(data):
    """Drops APPn segments and gives the components the ids 1, 2, 3, so that only the header can tell the colour space."""
    out, at = bytearray(data[:2]), 2
    while data[at + 1] != 0xDA:
        length = int.from_bytes(data[at + 2 : at + 4], "big") + 2
        segment = bytearray(data[at : at + length])
        if data[at + 1] == 0xC0:
            for i in range(3):
                segment[10 + 3 * i] = i + 1
        if not 0xE0 <= data[at + 1] <= 0xEF:
            out += segment
        at += length
    scan = bytearray(data[at:])
    for i in range(3):
        scan[5 + 2 * i] = i + 1
    return bytes(out + scan)
jpeg("jpeg-baseline-rgb", [no_app(plain)], uid.JPEGBaseline8Bit, bits=8, samples=3, photometric="RGB", modality="XC", sop=US, tolerance=3,
     reference=imagecodecs.jpeg8_decode(plain, colorspace="RGB", outcolorspace="RGB"))
loops = [baseline(grey(8, phase=p), level=80) for p in range(3)]
jpeg("jpeg-frames", loops, uid.JPEGBaseline8Bit, bits=8, modality="US", sop=US)
jpeg("jpeg-frames-no-table", loops, uid.JPEGBaseline8Bit, bits=8, modality="US", sop=US, offsets=False, fragments=2)
jpeg("jpeg-frames-extended-table", loops, uid.JPEGBaseline8Bit, bits=8, modality="US", sop=US, extended=True)
twelve = imagecodecs.jpeg8_encode(ct.astype(np.uint16), bitspersample=12, level=95)
jpeg("jpeg-extended-12", [twelve], uid.JPEGExtended12Bit, stored=12, windowed=(2048, 4096), tolerance=1)
jpeg("jpeg-extended-8", [baseline(grey(8))], uid.JPEGExtended12Bit, bits=8)
for predictor in (1, 2, 4, 5, 7):
    syntax = uid.JPEGLosslessSV1 if predictor == 1 else uid.JPEGLossless
    data = imagecodecs.jpeg8_encode(ct.astype(np.uint16), bitspersample=12, lossless=True, predictor=predictor)
    jpeg(f"jpeg-lossless-{predictor}", [data], syntax, stored=12, windowed=(2048, 4096), tolerance=0)
signed = grey(16, True)
data = imagecodecs.jpeg8_encode((signed & 0xFFFF).astype(np.uint16), bitspersample=16, lossless=True, predictor=1)
jpeg("jpeg-lossless-signed", [data], uid.JPEGLosslessSV1, signed=True, windowed=(0, 40000), tolerance=0)
data = imagecodecs.jpeg8_encode(grey(8).astype(np.uint8), lossless=True, predictor=1)
jpeg("jpeg-lossless-8", [data], uid.JPEGLosslessSV1, bits=8, tolerance=0)
data = imagecodecs.jpeg8_encode(rgb, lossless=True, predictor=1, colorspace="RGB", outcolorspace="RGB")
jpeg("jpeg-lossless-rgb", [data], uid.JPEGLosslessSV1, bits=8, samples=3, photometric="RGB", modality="US", sop=US, tolerance=0, reference=rgb)

# --- Enhanced multi-frame: window and rescale of each frame in its functional groups ------------------------------------------------
stack = np.stack([grey(12, phase=p) for p in range(3)])
ds = dataset(uid.ExplicitVRLittleEndian, stored=12, frames=3, sop="1.2.840.10008.5.1.4.1.1.2.1")
put(ds, stack)
groups, images = [], []
for index, (centre, width) in enumerate([(0, 1000), (500, 2000), (1000, 500)]):
    item, voi, values = Dataset(), Dataset(), Dataset()
    voi.WindowCenter, voi.WindowWidth = centre, width
    item.FrameVOILUTSequence = Sequence([voi])
    groups.append(item)
    plain = Dataset()
    plain.PixelRepresentation, plain.BitsStored, plain.PhotometricInterpretation = 0, 12, "MONOCHROME2"
    window(plain, centre, width)
    rescale(plain, 1, -1024)
    images.append(np.stack([display(plain, stack[index])] * 3, axis=-1))
shared, transform = Dataset(), Dataset()
transform.RescaleSlope, transform.RescaleIntercept, transform.RescaleType = 1, -1024, "HU"
shared.PixelValueTransformationSequence = Sequence([transform])
ds.SharedFunctionalGroupsSequence = Sequence([shared])
ds.PerFrameFunctionalGroupsSequence = Sequence(groups)
pydicom.dcmwrite(OUT / "enhanced-ct.dcm", ds, enforce_file_format=True)
expected["enhanced-ct"] = {"width": W, "height": H, "frames": 3, "tolerance": 0, "syntax": str(uid.ExplicitVRLittleEndian), "photometric": "MONOCHROME2", "rgb": [b64(i) for i in images]}

# --- A file that identifies a patient in every place where files do -----------------------------------------------------------------
def identified(name, value):
    secrets.append(str(value))
    setattr(ds, name, value)


ds = dataset(uid.ExplicitVRLittleEndian, stored=12, modality="CT")
put(ds, ct)
window(ds, 2048, 4096)
del ds.BurnedInAnnotation
secrets = []
texts = """PatientName PatientID IssuerOfPatientID OtherPatientNames PatientBirthName PatientMotherBirthName PatientAddress PatientTelephoneNumbers
CountryOfResidence RegionOfResidence EthnicGroup Occupation PatientReligiousPreference MedicalRecordLocator MilitaryRank BranchOfService Allergies
MedicalAlerts AdditionalPatientHistory PatientComments ResponsiblePerson ResponsibleOrganization AdmissionID AccessionNumber StudyID InstitutionName
InstitutionAddress InstitutionalDepartmentName ReferringPhysicianName ReferringPhysicianAddress ReferringPhysicianTelephoneNumbers
PerformingPhysicianName OperatorsName NameOfPhysiciansReadingStudy PhysiciansOfRecord RequestingPhysician RequestingService StudyDescription
SeriesDescription ProtocolName RequestedProcedureDescription PerformedProcedureStepDescription PerformedProcedureStepID ScheduledProcedureStepDescription
StationName DeviceSerialNumber PlateID CassetteID DetectorID GantryID ImageComments DerivationDescription AcquisitionComments FrameComments
DischargeDiagnosisDescription AdmittingDiagnosesDescription CurrentPatientLocation PatientInstitutionResidence VisitComments StudyComments
ReasonForStudy ContrastBolusAgent PerformedLocation ClinicalTrialSponsorName ClinicalTrialProtocolName ClinicalTrialSiteName ClinicalTrialSubjectID
ClinicalTrialSubjectReadingID ImagePresentationComments InterpretationText InterpretationAuthor InterpretationRecorder ResultsComments Impressions""".split()
for position, name in enumerate(texts):
    vr = pydicom.datadict.dictionary_VR(name)
    value = f"ZQ{position:03d}"
    value += {"PN": "Doe^Jane", "SH": "short", "LO": "long identifier", "LT": "long text", "ST": "short text", "UT": "free text", "CS": "CODE"}[vr]
    identified(name, value)
for position, name in enumerate("PatientBirthDate StudyDate SeriesDate AcquisitionDate ContentDate AdmittingDate InstanceCreationDate ScheduledProcedureStepStartDate DateOfLastCalibration".split()):
    identified(name, f"19{51 + position}0{1 + position % 9}1{position % 9}")
for position, name in enumerate("PatientBirthTime StudyTime SeriesTime AcquisitionTime ContentTime InstanceCreationTime".split()):
    identified(name, f"{10 + position}4{position}37.118{position}")
identified("AcquisitionDateTime", "19610203094837.551")
identified("PatientAge", "047Y")
identified("PatientWeight", "61.753")
identified("PatientSize", "1.7351")
identified("PatientSex", "F")
secrets.remove("F")  # one letter stands in any text
for name in "FrameOfReferenceUID SynchronizationFrameOfReferenceUID ConcatenationUID IrradiationEventUID DeviceUID InstanceCreatorUID".split():
    identified(name, f"{ROOT}.77777.{len(secrets)}")
secrets += [str(ds.SOPInstanceUID), str(ds.StudyInstanceUID), str(ds.SeriesInstanceUID)]
other, code = Dataset(), Dataset()
other.PatientID = "ZQ900nested"
code.PersonAddress = "ZQ901 address"
other.PersonIdentificationCodeSequence = Sequence([code])
ds.OtherPatientIDsSequence = Sequence([other])
secrets += ["ZQ900nested", "ZQ901 address"]
block = ds.private_block(0x0099, "ZQ902 vendor", create=True)
block.add_new(1, "LO", "ZQ903 private")
block.add_new(2, "UN", b"ZQ904 unknown ")
secrets += ["ZQ902 vendor", "ZQ903 private", "ZQ904 unknown"]
ds.add(DataElement(0x40000010, "LT", "ZQ905 arbitrary"))
secrets.append("ZQ905 arbitrary")
ds.preamble = b"ZQ906 preamble".ljust(128, b"\0")
secrets.append("ZQ906 preamble")
pydicom.dcmwrite(OUT / "identified.dcm", ds, enforce_file_format=True)
expected["identified"] = {"width": W, "height": H, "frames": 1, "tolerance": 0, "syntax": str(uid.ExplicitVRLittleEndian), "photometric": "MONOCHROME2",
                          "rgb": [b64(np.stack([display(ds, ct)] * 3, axis=-1))], "secrets": sorted(set(secrets))}

# --- A study's folder: a series whose names, numbers and positions disagree, an ultrasound, and a report without pixels --------------
study = OUT / "study"
study.mkdir(exist_ok=True)
for name, number, z in [("a", 3, 30.0), ("b", 1, 10.0), ("c", 2, 20.0)]:
    ds = dataset(uid.ExplicitVRLittleEndian, bits=8)
    ds.SeriesInstanceUID = f"{ROOT}.3000"
    ds.InstanceNumber = 4 - number
    ds.ImagePositionPatient = [0, 0, z]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing = [0.5, 0.75]
    ds.BodyPartExamined = "HEAD"
    put(ds, np.full((H, W), int(z) * 5) + (xx > 7))
    pydicom.dcmwrite(study / f"{name}.dcm", ds, enforce_file_format=True)
ds = dataset(uid.ExplicitVRLittleEndian, bits=8, modality="US", sop=US)
del ds.BurnedInAnnotation
put(ds, grey(8))
pydicom.dcmwrite(study / "ultrasound.dcm", ds, enforce_file_format=True)
ds = dataset(uid.ExplicitVRLittleEndian, modality="SR", sop="1.2.840.10008.5.1.4.1.1.88.11")
for tag in ("Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"):
    delattr(ds, tag)
pydicom.dcmwrite(study / "report.dcm", ds, enforce_file_format=True)

(OUT / "expected.json").write_text(json.dumps(expected, indent=0, sort_keys=True) + "\n")
print(len(expected), "files,", sum(p.stat().st_size for p in OUT.iterdir()) // 1024, "kB")
