//go:build !unix

package image

// nonblock has no meaning here.
const nonblock = 0
