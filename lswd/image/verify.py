"""The rules an image must keep to be mapped, as NtCreateSection(SEC_IMAGE) applies them.

Sources: Microsoft "PE Format"; where Windows is stricter or laxer than its text, what has been observed of it: the
expectations in Wine's loader tests (run on Windows XP to 11), corkami's PE notes, and bug reports of PE tools. Worth
knowing:

* e_lfanew is a multiple of 4, ImageBase one of 64 KiB, both alignments are powers of two, file <= section alignment.
* Sections stand in ascending order and adjoin one another and the headers, but for rounding to the section alignment.
* SizeOfImage counts in whole pages; the last section may end in the last of them.
* SizeOfHeaders may exceed the file, and may be too small for the section table (some games).
* Raw data may overlap, and may be unaligned: NT reads from the sector (0x200) it starts in. But it lies in the file.
* An entry point anywhere is no matter of the format.
"""

from __future__ import annotations

from lswd.image.errors import BAD_ALIGNMENT, BAD_HEADER, BAD_SECTION, BAD_SIZE, ImageError, printable
from lswd.image.formats import truncated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.image.pe import Image, Section

MAX_SECTIONS = 96  # Microsoft "PE Format": "the Windows loader limits the number of sections to 96"
MAX_IMAGE = 1 << 30  # ours; NT's own limit is a little below 2 GiB
PAGE_MASK = 0xFFF

_EXECUTABLE_IMAGE = 0x0002


def verify(image: Image) -> None:
    """Check the headers and the section table of ``image`` against the size of its file.

    Raises:
        ImageError: BAD_HEADER, BAD_ALIGNMENT, BAD_SIZE, BAD_SECTION or TRUNCATED.
    """
    if not image.characteristics & _EXECUTABLE_IMAGE:
        raise _damaged(image, BAD_HEADER, "its linker did not finish it (no EXECUTABLE_IMAGE flag)")
    if image.image_base & 0xFFFF:
        raise _damaged(image, BAD_HEADER, f"its base {image.image_base:#x} is not a multiple of 64 KiB")
    alignment, file_alignment = image.section_alignment, image.file_alignment
    if (
        not alignment
        or not file_alignment
        or alignment & (alignment - 1)
        or file_alignment & (file_alignment - 1)
        or file_alignment > alignment
        or (file_alignment & 0x1FF and file_alignment != alignment)
        or (image.flat and file_alignment != alignment)
    ):
        raise _damaged(image, BAD_ALIGNMENT, f"alignment {alignment:#x} of sections, {file_alignment:#x} in the file")
    if not image.size_of_image or image.size_of_image > MAX_IMAGE:
        raise _damaged(image, BAD_SIZE, f"an image of {image.size_of_image:#x} bytes")
    end_of_image = (image.size_of_image + PAGE_MASK) & ~PAGE_MASK
    if image.flat:
        _verify_flat(image)
        return

    file_size = image.file_size
    align_mask = alignment - 1
    next_va = (image.size_of_headers + align_mask) & ~align_mask
    if not image.size_of_headers or (image.size_of_headers + PAGE_MASK) & ~PAGE_MASK > end_of_image:
        raise _damaged(image, BAD_SIZE, f"headers of {image.size_of_headers:#x} bytes")
    for section in image.sections:
        va = section.virtual_address
        if va != next_va:
            raise _misplaced(image, section, next_va)
        size = section.virtual_size or section.raw_size
        if not size:
            raise _damaged(image, BAD_SECTION, f"section {_label(image, section)} is empty")
        end = va + size
        if end > end_of_image:
            raise _damaged(
                image,
                BAD_SECTION,
                f"section {_label(image, section)} ends at {end:#x}, behind the image's end at {end_of_image:#x}",
            )
        if section.raw_offset and section.raw_size and section.raw_offset + section.raw_size > file_size:
            raise _outside_file(image, section)
        next_va = (end + align_mask) & ~align_mask


def _verify_flat(image: Image) -> None:
    """An image with sections below page size is mapped as it lies in the file, so both views must agree."""
    for section in image.sections:
        if not section.raw_size and not section.virtual_size:
            continue
        if section.virtual_address != section.raw_offset or section.virtual_size > section.raw_size:
            raise _damaged(
                image, BAD_SECTION, f"section {_label(image, section)} differs in file and memory, at this alignment"
            )
        if section.raw_offset + section.raw_size > image.file_size:
            raise _outside_file(image, section)


def _label(image: Image, section: Section) -> str:
    return f"{image.sections.index(section) + 1} ({printable(section.name)})"


def _damaged(image: Image, kind: str, detail: str) -> ImageError:
    return ImageError(kind, f"damaged: {detail}", hint="download or build it again", name=image.name)


def _misplaced(image: Image, section: Section, expected: int) -> ImageError:
    problem = "overlaps what is before it" if section.virtual_address < expected else "leaves a gap before it"
    return _damaged(
        image,
        BAD_SECTION,
        f"section {_label(image, section)} at {section.virtual_address:#x} {problem} ({expected:#x} expected)",
    )


def _outside_file(image: Image, section: Section) -> ImageError:
    end = section.raw_offset + section.raw_size
    return truncated(
        f"section {_label(image, section)} reaches to byte {end:#x}, and the file has {image.file_size:#x}", image.name
    )
