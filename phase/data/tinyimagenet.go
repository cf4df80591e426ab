package data

import (
	"context"
	"fmt"
	"path"
	"strings"
)

// listTinyImageNet lists a folder in the layout of Tiny-ImageNet-200:
// train/WNID/images/, val/images/ with val/val_annotations.txt, words.txt.
// Classes are the WordNet numbers in train, sorted, however many there are,
// and are called like "goldfish (n01443537)": the words alone repeat.
func listTinyImageNet(ctx context.Context, f folder) (train, test *fileImages, err error) {
	wnids, err := f.subfolders("train")
	if err != nil {
		return nil, nil, err
	}
	words, err := f.readWords("words.txt")
	if err != nil {
		return nil, nil, err
	}
	label := map[string]int{}
	train = &fileImages{folder: f}
	for i, id := range wnids {
		label[id] = i
		name, _, _ := strings.Cut(words[id], ",")
		train.classes = append(train.classes, strings.TrimSpace(name+" ("+id+")"))
		before := len(train.names)
		if err := train.walk(ctx, path.Join("train", id, "images"), i); err != nil {
			return nil, nil, err
		}
		if len(train.names) == before {
			return nil, nil, fmt.Errorf("%s: a class without images", f.at(path.Join("train", id, "images")))
		}
	}
	if len(wnids) == 0 {
		return nil, nil, fmt.Errorf("%s: no class folders", f.at("train"))
	}

	const notes = "val/val_annotations.txt"
	b, err := f.readFile(notes, maxListBytes)
	if err != nil {
		return nil, nil, err
	}
	test = &fileImages{folder: f, labelled: labelled{classes: train.classes}}
	for no, line := range lines(b) {
		field := strings.Split(line, "\t") // name, class, then a box
		if len(field) < 2 {
			return nil, nil, fmt.Errorf("%s: line %d: %q, want a file name, a tab and a class", f.at(notes), no, line)
		}
		y, ok := label[field[1]]
		if !ok {
			return nil, nil, fmt.Errorf("%s: line %d: class %q is not one of the %d folders in train", f.at(notes), no, field[1], len(wnids))
		}
		test.add("val/images/"+field[0], y)
	}
	if len(test.names) == 0 {
		return nil, nil, fmt.Errorf("%s: no images", f.at(notes))
	}
	return train, test, nil
}

// readWords reads lines of a WordNet number, a tab and words.
func (f folder) readWords(name string) (map[string]string, error) {
	b, err := f.readFile(name, maxListBytes)
	if err != nil {
		return nil, err
	}
	words := map[string]string{}
	for _, line := range lines(b) {
		id, text, _ := strings.Cut(line, "\t")
		words[id] = text
	}
	return words, nil
}
