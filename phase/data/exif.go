package data

import (
	"bytes"
	"encoding/binary"
)

// orientation says which way up a JPEG file's pixels are stored: the number of
// EXIF's tag Orientation (CIPA DC-008), 1 to 8. Without one, and where the
// EXIF block is broken or the file no JPEG, it is 1, upright.
func orientation(file []byte) int {
	at := len("\xff\xd8")
	for at+4 <= len(file) && file[at] == 0xff {
		switch marker := file[at+1]; {
		case marker == 0xff: // padding
			at++
			continue
		case marker == 0x01, marker >= 0xd0 && marker <= 0xd7: // without a length
			at += 2
			continue
		case marker == 0xd9, marker == 0xda: // the end, or pixels
			return 1
		}
		end := at + 2 + int(binary.BigEndian.Uint16(file[at+2:]))
		if end < at+4 || end > len(file) {
			return 1
		}
		if tiff, ok := bytes.CutPrefix(file[at+4:end], []byte("Exif\x00\x00")); ok && file[at+1] == 0xe1 {
			return tiffOrientation(tiff)
		}
		at = end
	}
	return 1
}

// tiffOrientation reads the tag from the first directory of a TIFF block.
func tiffOrientation(b []byte) int {
	const tag, short, headSize, entrySize = 0x0112, 3, 8, 12
	if len(b) < headSize {
		return 1
	}
	var order binary.ByteOrder = binary.LittleEndian
	switch string(b[:4]) {
	case "II*\x00":
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 1
	}
	size, at := uint64(len(b)), uint64(order.Uint32(b[4:]))
	if at+2 > size {
		return 1
	}
	n := order.Uint16(b[at:])
	at += 2
	for ; n > 0 && at+entrySize <= size; n, at = n-1, at+entrySize {
		e := b[at : at+entrySize] // tag, type, count, value
		if order.Uint16(e) != tag {
			continue
		}
		if v := order.Uint16(e[8:]); order.Uint16(e[2:]) == short && order.Uint32(e[4:]) == 1 && v >= 1 && v <= 8 {
			return int(v)
		}
		return 1
	}
	return 1
}

// sideways says that an orientation swaps height and width.
func sideways(orientation int) bool { return orientation >= 5 }

// upright turns an image that is stored with an orientation, of h x w pixels
// of c channels.
func upright(pix []uint8, h, w, c, orientation int) []uint8 {
	row := w * c
	at, right, down := 0, c, row // where the first pixel is stored, and its neighbours
	if o := orientation; o == 2 || o == 3 || o == 7 || o == 8 {
		at, right = at+row-c, -c
	}
	if o := orientation; o == 3 || o == 4 || o == 6 || o == 7 {
		at, down = at+(h-1)*row, -row
	}
	if sideways(orientation) {
		h, w, right, down = w, h, down, right
	}
	turned := make([]uint8, 0, len(pix))
	for y := range h {
		for x := range w {
			p := at + y*down + x*right
			turned = append(turned, pix[p:p+c]...)
		}
	}
	return turned
}
