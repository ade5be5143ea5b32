#!/bin/sh
# Example of FANZHA_TOKEN_KMS_COMMAND: gives the key that unwraps the token key.
#
# Standard input:  the wrapped key, as the KMS gave it when it was made.
# Standard output: its 32 bytes, and nothing else.
# Exit code:       0 when it gave the key, anything else when it could not.
# It has ten seconds. What it writes to standard error is thrown away, never logged.
#
# Here a file stands in for the KMS; put the call of your KMS's client in its place.
set -eu
exec openssl enc -d -aes-256-cbc -pbkdf2 -pass "file:${1:?file of the master key}"
