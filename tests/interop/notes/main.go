// Verifies checkpoints and proofs with Go's own packages, which run the checksum database of Go: nothing of ours is in here.
//
// Reads one JSON object: the note and the VKEYs that are trusted, then proofs. Prints what note.Open says, or ends with 1.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type proof struct {
	Index  int64    `json:"index"` // of a leaf; -1: a proof of consistency
	Leaf   []byte   `json:"leaf"`  // as it was hashed, without the byte 0
	From   int64    `json:"from"`
	Root   []byte   `json:"root"` // of the older tree
	Hashes [][]byte `json:"hashes"`
}

type question struct {
	Note   string   `json:"note"`
	Vkeys  []string `json:"vkeys"`
	Proofs []proof  `json:"proofs"`
}

func hash(data []byte) (hash tlog.Hash) {
	if len(data) != len(hash) {
		panic("a hash is 32 bytes long")
	}
	copy(hash[:], data)
	return hash
}

func check(asked question) (*note.Note, error) {
	var verifiers []note.Verifier
	for _, vkey := range asked.Vkeys {
		verifier, err := note.NewVerifier(vkey)
		if err != nil {
			return nil, err
		}
		verifiers = append(verifiers, verifier)
	}
	opened, err := note.Open([]byte(asked.Note), note.VerifierList(verifiers...))
	if err != nil {
		return nil, err
	}
	// ParseTree knows only Go's own log; the lines after the name are the same.
	var origin, root string
	var size int64
	if _, err := fmt.Sscanf(opened.Text, "%s\n%d\n%s\n", &origin, &size, &root); err != nil {
		return nil, err
	}
	tree, err := tlog.ParseHash(root)
	if err != nil {
		return nil, err
	}
	for _, one := range asked.Proofs {
		var hashes []tlog.Hash
		for _, each := range one.Hashes {
			hashes = append(hashes, hash(each))
		}
		if one.Index >= 0 {
			err = tlog.CheckRecord(hashes, size, tree, one.Index, tlog.RecordHash(one.Leaf))
		} else {
			err = tlog.CheckTree(hashes, size, tree, one.From, hash(one.Root))
		}
		if err != nil {
			return nil, fmt.Errorf("proof %d of %d: %w", one.Index, one.From, err)
		}
	}
	return opened, nil
}

func main() {
	var asked question
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	opened, err := check(asked)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, signature := range opened.Sigs {
		fmt.Printf("%s+%08x\n", signature.Name, signature.Hash)
	}
}
