package data

import (
	"embed"
	"fmt"
	"io/fs"
)

// The embedded set is Fashion-MNIST (Xiao, Rasul and Vollgraf 2017), MIT
// license, which lies beside the files: 1,485 training images, long-tailed
// with imbalance 100, and 1,000 test images.
//
//go:embed fashion
var fashion embed.FS

var fashionClasses = []string{"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"}

func openFashion() (train, test *memoryImages, err error) {
	files, err := fs.Sub(fashion, "fashion")
	if err != nil {
		return nil, nil, err
	}
	if train, test, err = openIDX(folder{files, "embedded fashion"}); err != nil {
		return nil, nil, err
	}
	train.classes, test.classes = fashionClasses, fashionClasses
	return train, test, nil
}

// openFashionMNIST reads the complete set, whose four files are named as MNIST's.
func openFashionMNIST(f folder) (train, test *memoryImages, err error) {
	if train, test, err = openIDX(f); err != nil {
		return nil, nil, err
	}
	if n := len(train.classes); n != len(fashionClasses) {
		return nil, nil, fmt.Errorf("%s: %d classes, want %d", f.path, n, len(fashionClasses))
	}
	train.classes, test.classes = fashionClasses, fashionClasses
	return train, test, nil
}
