// Package knowledge reads the folder that holds everything Canteen knows:
// entries in Markdown, the lexicon, this organisation's names and links, and
// the wording of every message the bot sends of itself.
//
// Reading is strict and complete: [Load] gives a [Base], which never changes again,
// of all files that are good, and every [Problem] of the others with its line and
// column. [Folder] watches a folder and swaps a fresh Base in, in which the last good
// version stands for a file that is bad.
//
// In reading order: entry.go (one file), layer.go and load.go (a folder and its
// overlays), local.go and wording.go (what differs between organisations), cues.go
// (the lanes), check.go (style and likeness), fit.go (what ranks them), folder.go
// and watch.go (watching and saving).
package knowledge
