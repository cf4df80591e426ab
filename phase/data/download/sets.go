// Package download brings published data sets to where package data looks for
// them: fetched over HTTP, however often the connection breaks, checked and
// unpacked. There are only a few types: a Set says of which Files it consists
// and where they are published, Options where it shall go, Progress how far it is.
package download

import "phase/phase/data"

// A File is one file of a set as it is published.
type File struct {
	Name   string
	Size   int64  // in bytes
	SHA256 string // in hex
}

// A Set is a data set that has a name, and where it is published. A file that
// ends in .tar.gz or .zip is an archive of the set's folder; others belong into
// the folder as they are.
type Set struct {
	data.Info
	Bases []string // URLs of the folders that hold the files; the first that works is used
	Files []File
}

// Size is how many bytes the files of s have.
func (s Set) Size() (n int64) {
	for _, f := range s.Files {
		n += f.Size
	}
	return n
}

// Sets lists the data sets that can be fetched: those of data.Known that are
// not embedded.
//
// Sizes and checksums of CIFAR, MNIST and Fashion-MNIST are those that
// TensorFlow Datasets publishes (tensorflow_datasets/url_checksums). CIFAR's page
// has the MD5 of the same archives, c32a1d4ab5d03f1284b67883e8d87530 and
// 03b5dce01913d631647c71ecec9e9cb8, Fashion-MNIST's those of the same files.
// For Tiny-ImageNet its authors publish none; this is the archive whose MD5,
// 90528d7ca1a48142e341f4ef8d21d0de, its readers in public libraries demand.
func Sets() (sets []Set) {
	for _, k := range data.Known() {
		if s, ok := published[k.Name]; ok {
			s.Info = k
			sets = append(sets, s)
		}
	}
	return sets
}

const (
	trainImages = "train-images-idx3-ubyte.gz"
	trainLabels = "train-labels-idx1-ubyte.gz"
	testImages  = "t10k-images-idx3-ubyte.gz"
	testLabels  = "t10k-labels-idx1-ubyte.gz"
)

var published = map[string]Set{
	"cifar10": {
		Bases: []string{"https://www.cs.toronto.edu/~kriz/"},
		Files: []File{{"cifar-10-binary.tar.gz", 170052171, "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"}},
	},
	"cifar100": {
		Bases: []string{"https://www.cs.toronto.edu/~kriz/"},
		Files: []File{{"cifar-100-binary.tar.gz", 168513733, "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec"}},
	},
	"tinyimagenet": {
		Bases: []string{"https://cs231n.stanford.edu/", "http://cs231n.stanford.edu/"},
		Files: []File{{"tiny-imagenet-200.zip", 248100043, "6198c8ae015e2b3e007c7841da39ec069199b9aa3bfa943a462022fe5e43c821"}},
	},
	"mnist": { // yann.lecun.com no longer gives them out
		Bases: []string{"https://storage.googleapis.com/cvdf-datasets/mnist/", "https://ossci-datasets.s3.amazonaws.com/mnist/"},
		Files: []File{
			{trainImages, 9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"},
			{trainLabels, 28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"},
			{testImages, 1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"},
			{testLabels, 4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"},
		},
	},
	"fashion-mnist": {
		Bases: []string{"https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/", "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"},
		Files: []File{
			{trainImages, 26421880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"},
			{trainLabels, 29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"},
			{testImages, 4422102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"},
			{testLabels, 5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"},
		},
	},
}
