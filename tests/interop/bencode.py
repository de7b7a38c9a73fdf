"""Bencoding (BEP 3), as much as torrents and KRPC need."""


def encode(value):
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, list):
        return b"l" + b"".join(map(encode, value)) + b"e"
    # UTF-8 sorts as its code points do.
    return b"d" + b"".join(encode(key) + encode(value[key]) for key in sorted(value)) + b"e"


def decode(data):
    """The value at the start of `data`, with bytes for every string. Raises ValueError."""
    try:
        return _decode(data, 0)[0]
    except (IndexError, RecursionError) as error:
        raise ValueError("truncated or too deep") from error


def _decode(data, at):
    kind = data[at : at + 1]
    if kind == b"i":
        end = data.index(b"e", at)
        return int(data[at + 1 : end]), end + 1
    if kind in (b"l", b"d"):
        items, at = [], at + 1
        while data[at] != ord("e"):
            item, at = _decode(data, at)
            items.append(item)
        value = items if kind == b"l" else dict(zip(items[::2], items[1::2], strict=True))
        return value, at + 1
    colon = data.index(b":", at)
    end = colon + 1 + int(data[at:colon])
    if end > len(data):
        raise ValueError("truncated")
    return data[colon + 1 : end], end
