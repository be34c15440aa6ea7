// The interface of mppsol_session. Generated from artifacts/mppsol_session.json by scripts/generate.ts; do not edit.

/** The IDL in camelCase, for `Program<…>`. Only a type: at run time `Program` converts the IDL below. */
export type MppsolSession = {
  "address": "mpPyjEM3D1ZXmMCzX1m2VX7FmCfAdwvgvusATN239om",
  "metadata": {
    "name": "mppsolSession",
    "version": "0.1.0",
    "spec": "0.1.0",
    "description": "Payment channels for machine payments: the channel program of draft-solana-session-00, in Anchor"
  },
  "docs": [
    "A payer locks a deposit once and signs cumulative vouchers off chain; the payee cashes the last one."
  ],
  "instructions": [
    {
      "name": "close",
      "docs": [
        "Payee. Open or closing within grace → sealed, after one last voucher if there is one."
      ],
      "discriminator": [
        4
      ],
      "accounts": [
        {
          "name": "payee",
          "signer": true
        },
        {
          "name": "channel",
          "writable": true
        },
        {
          "name": "instructionsSysvar",
          "address": "Sysvar1nstructions1111111111111111111111111"
        }
      ],
      "args": [
        {
          "name": "args",
          "type": {
            "defined": {
              "name": "closeArgs"
            }
          }
        }
      ]
    },
    {
      "name": "debit",
      "docs": [
        "Anyone, with a voucher in the Ed25519 instruction right before. Raises the watermark; no tokens move."
      ],
      "discriminator": [
        2
      ],
      "accounts": [
        {
          "name": "channel",
          "writable": true
        },
        {
          "name": "instructionsSysvar",
          "address": "Sysvar1nstructions1111111111111111111111111"
        }
      ],
      "args": []
    },
    {
      "name": "debitBatch",
      "docs": [
        "Anyone, with a batch voucher in the Ed25519 instruction right before. Raises the watermarks of up to 60",
        "channels of one signer, which follow as remaining accounts in rising order of their addresses."
      ],
      "discriminator": [
        32
      ],
      "accounts": [
        {
          "name": "instructionsSysvar",
          "address": "Sysvar1nstructions1111111111111111111111111"
        }
      ],
      "args": []
    },
    {
      "name": "open",
      "docs": [
        "Payer and rent payer sign. Nothing → open. Creates the channel and its escrow and moves the deposit in."
      ],
      "discriminator": [
        1
      ],
      "accounts": [
        {
          "name": "payer",
          "writable": true,
          "signer": true
        },
        {
          "name": "rentPayer",
          "writable": true,
          "signer": true
        },
        {
          "name": "payee"
        },
        {
          "name": "mint"
        },
        {
          "name": "authorizedSigner"
        },
        {
          "name": "channel",
          "writable": true
        },
        {
          "name": "payerTokenAccount",
          "writable": true
        },
        {
          "name": "channelTokenAccount",
          "writable": true
        },
        {
          "name": "tokenProgram"
        },
        {
          "name": "systemProgram",
          "address": "11111111111111111111111111111111"
        },
        {
          "name": "rent",
          "address": "SysvarRent111111111111111111111111111111111"
        },
        {
          "name": "associatedTokenProgram",
          "address": "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL"
        },
        {
          "name": "eventAuthority",
          "address": "14chA41z5zaw2QkEJ3fEbCLyGZHYFZr13RDNFKSrkp8K"
        },
        {
          "name": "selfProgram",
          "address": "mpPyjEM3D1ZXmMCzX1m2VX7FmCfAdwvgvusATN239om"
        }
      ],
      "args": [
        {
          "name": "args",
          "type": {
            "defined": {
              "name": "openArgs"
            }
          }
        }
      ]
    },
    {
      "name": "rearm",
      "docs": [
        "Payee. Open → open. Pays everyone, refunds the unspent deposit, and keeps the channel for the next session."
      ],
      "discriminator": [
        33
      ],
      "accounts": [
        {
          "name": "payee",
          "signer": true
        },
        {
          "name": "channel",
          "writable": true
        },
        {
          "name": "channelTokenAccount",
          "writable": true
        },
        {
          "name": "payerTokenAccount",
          "writable": true
        },
        {
          "name": "payeeTokenAccount",
          "writable": true
        },
        {
          "name": "mint"
        },
        {
          "name": "tokenProgram"
        },
        {
          "name": "instructionsSysvar",
          "address": "Sysvar1nstructions1111111111111111111111111"
        },
        {
          "name": "eventAuthority",
          "address": "14chA41z5zaw2QkEJ3fEbCLyGZHYFZr13RDNFKSrkp8K"
        },
        {
          "name": "selfProgram",
          "address": "mpPyjEM3D1ZXmMCzX1m2VX7FmCfAdwvgvusATN239om"
        }
      ],
      "args": [
        {
          "name": "args",
          "type": {
            "defined": {
              "name": "rearmArgs"
            }
          }
        }
      ]
    },
    {
      "name": "reclaim",
      "docs": [
        "Anyone. Distributed → gone, after slot open_slot + 1,500. Returns the rent to who paid it."
      ],
      "discriminator": [
        9
      ],
      "accounts": [
        {
          "name": "channel",
          "writable": true
        },
        {
          "name": "rentPayer",
          "writable": true
        }
      ],
      "args": []
    },
    {
      "name": "revoke",
      "docs": [
        "Payer. Open → closing. Starts the grace period."
      ],
      "discriminator": [
        5
      ],
      "accounts": [
        {
          "name": "payer",
          "signer": true
        },
        {
          "name": "channel",
          "writable": true
        }
      ],
      "args": []
    },
    {
      "name": "seal",
      "docs": [
        "Anyone. Closing → sealed, after the grace period."
      ],
      "discriminator": [
        6
      ],
      "accounts": [
        {
          "name": "channel",
          "writable": true
        }
      ],
      "args": []
    },
    {
      "name": "settle",
      "docs": [
        "Anyone. Pays recipients and payee; from sealed also refunds the payer and closes the escrow. The recipients'",
        "associated token accounts follow as remaining accounts, in the order of the splits."
      ],
      "discriminator": [
        7
      ],
      "accounts": [
        {
          "name": "channel",
          "writable": true
        },
        {
          "name": "payer",
          "writable": true
        },
        {
          "name": "rentPayer",
          "writable": true
        },
        {
          "name": "channelTokenAccount",
          "writable": true
        },
        {
          "name": "payerTokenAccount",
          "writable": true
        },
        {
          "name": "payeeTokenAccount",
          "writable": true
        },
        {
          "name": "treasuryTokenAccount",
          "writable": true
        },
        {
          "name": "mint"
        },
        {
          "name": "tokenProgram"
        },
        {
          "name": "eventAuthority",
          "address": "14chA41z5zaw2QkEJ3fEbCLyGZHYFZr13RDNFKSrkp8K"
        },
        {
          "name": "selfProgram",
          "address": "mpPyjEM3D1ZXmMCzX1m2VX7FmCfAdwvgvusATN239om"
        }
      ],
      "args": [
        {
          "name": "args",
          "type": {
            "defined": {
              "name": "settleArgs"
            }
          }
        }
      ]
    },
    {
      "name": "topup",
      "docs": [
        "Payer. Open → open. Adds to the deposit."
      ],
      "discriminator": [
        3
      ],
      "accounts": [
        {
          "name": "payer",
          "writable": true,
          "signer": true
        },
        {
          "name": "channel",
          "writable": true
        },
        {
          "name": "payerTokenAccount",
          "writable": true
        },
        {
          "name": "channelTokenAccount",
          "writable": true
        },
        {
          "name": "mint"
        },
        {
          "name": "tokenProgram"
        }
      ],
      "args": [
        {
          "name": "args",
          "type": {
            "defined": {
              "name": "topupArgs"
            }
          }
        }
      ]
    },
    {
      "name": "withdrawPayer",
      "docs": [
        "Payer. Sealed → sealed. Refunds the payer, once."
      ],
      "discriminator": [
        8
      ],
      "accounts": [
        {
          "name": "payer",
          "signer": true
        },
        {
          "name": "channel",
          "writable": true
        },
        {
          "name": "channelTokenAccount",
          "writable": true
        },
        {
          "name": "payerTokenAccount",
          "writable": true
        },
        {
          "name": "mint"
        },
        {
          "name": "tokenProgram"
        }
      ],
      "args": []
    }
  ],
  "accounts": [
    {
      "name": "channel",
      "discriminator": [
        1
      ]
    }
  ],
  "events": [
    {
      "name": "opened",
      "discriminator": [
        166,
        172,
        97,
        9,
        77,
        76,
        189,
        109
      ]
    },
    {
      "name": "payoutRedirected",
      "discriminator": [
        209,
        22,
        185,
        215,
        84,
        167,
        84,
        80
      ]
    },
    {
      "name": "rearmed",
      "discriminator": [
        92,
        235,
        218,
        245,
        226,
        172,
        66,
        155
      ]
    }
  ],
  "errors": [
    {
      "code": 1,
      "name": "missingRequiredSignature",
      "msg": "a signature is missing"
    },
    {
      "code": 2,
      "name": "invalidChannelStatus",
      "msg": "the channel's status does not allow this"
    },
    {
      "code": 3,
      "name": "invalidAccountDiscriminator",
      "msg": "the account is not a channel"
    },
    {
      "code": 4,
      "name": "unsupportedChannelVersion",
      "msg": "the channel has a layout version that this program does not know"
    },
    {
      "code": 5,
      "name": "invalidChannelPayer",
      "msg": "the account is not the channel's payer"
    },
    {
      "code": 6,
      "name": "invalidChannelPayee",
      "msg": "the account is not the channel's payee"
    },
    {
      "code": 7,
      "name": "invalidChannelMint",
      "msg": "the account is not the channel's mint"
    },
    {
      "code": 8,
      "name": "invalidEventAuthority",
      "msg": "the event authority or the program account is wrong"
    },
    {
      "code": 9,
      "name": "notEnoughAccountKeys",
      "msg": "the instruction takes another number of accounts"
    },
    {
      "code": 10,
      "name": "invalidChannelRentPayer",
      "msg": "the account is not the channel's rent payer"
    },
    {
      "code": 50,
      "name": "channelAccountMismatch",
      "msg": "the escrow is not the channel's associated token account, or it is not usable"
    },
    {
      "code": 51,
      "name": "invalidChannelTokenAccount",
      "msg": "the escrow is not a token account"
    },
    {
      "code": 52,
      "name": "invalidChannelTokenExtensions",
      "msg": "the escrow carries a Token-2022 extension that is not allowed"
    },
    {
      "code": 53,
      "name": "mintAccountMismatch",
      "msg": "the mint is not a mint of the given token program"
    },
    {
      "code": 54,
      "name": "invalidMintTokenProgram",
      "msg": "the token program is neither SPL Token nor Token-2022"
    },
    {
      "code": 55,
      "name": "malformedMintTokenAccountData",
      "msg": "the mint's data is malformed"
    },
    {
      "code": 56,
      "name": "malformedMintTokenExtensions",
      "msg": "the mint carries a Token-2022 extension that is not allowed"
    },
    {
      "code": 57,
      "name": "payerAccountMismatch",
      "msg": "the payer's token account is not its associated token account, or it is not usable"
    },
    {
      "code": 58,
      "name": "invalidPayerTokenAccount",
      "msg": "the payer's token account is not a token account"
    },
    {
      "code": 59,
      "name": "invalidPayerTokenExtensions",
      "msg": "the payer's token account carries a Token-2022 extension that is not allowed"
    },
    {
      "code": 60,
      "name": "payeeAccountMismatch",
      "msg": "the payee's token account is not its associated token account"
    },
    {
      "code": 61,
      "name": "invalidPayeeTokenAccount",
      "msg": "the payee's token account is not a token account"
    },
    {
      "code": 62,
      "name": "invalidPayeeTokenExtensions",
      "msg": "the payee's token account carries malformed extensions"
    },
    {
      "code": 200,
      "name": "depositMustBeNonZero",
      "msg": "an amount of zero was given"
    },
    {
      "code": 201,
      "name": "gracePeriodMustBeNonZero",
      "msg": "the grace period is zero"
    },
    {
      "code": 230,
      "name": "missingEd25519Verification",
      "msg": "the instruction before this one is not an Ed25519 verification"
    },
    {
      "code": 231,
      "name": "malformedEd25519Instruction",
      "msg": "the Ed25519 instruction does not have the canonical layout"
    },
    {
      "code": 232,
      "name": "voucherChannelMismatch",
      "msg": "the voucher names another channel"
    },
    {
      "code": 233,
      "name": "voucherExpired",
      "msg": "the voucher has expired"
    },
    {
      "code": 234,
      "name": "voucherWatermarkNotMonotonic",
      "msg": "the voucher's amount is not above what is settled"
    },
    {
      "code": 235,
      "name": "voucherOverDeposit",
      "msg": "the voucher's amount is above the deposit"
    },
    {
      "code": 237,
      "name": "voucherSignerMismatch",
      "msg": "the voucher is signed by another key than the channel's authorized signer"
    },
    {
      "code": 238,
      "name": "voucherBadMagic",
      "msg": "the signed message is not a voucher of this version"
    },
    {
      "code": 260,
      "name": "invalidRecipientCount",
      "msg": "more recipients than a channel may have"
    },
    {
      "code": 261,
      "name": "invalidSplitConfig",
      "msg": "a share is zero, the shares exceed 10,000, or the channel itself is a recipient"
    },
    {
      "code": 263,
      "name": "duplicateRecipient",
      "msg": "a recipient is named twice"
    },
    {
      "code": 2000,
      "name": "channelAddressMismatch",
      "msg": "the channel is not at the address that its seeds derive"
    },
    {
      "code": 2001,
      "name": "payerPayeeMustDiffer",
      "msg": "payer and payee are the same account"
    },
    {
      "code": 2002,
      "name": "invalidAuthorizedSigner",
      "msg": "the authorized signer cannot have signed anything: not a canonical curve point of full order"
    },
    {
      "code": 2003,
      "name": "openSlotOutOfWindow",
      "msg": "open_slot is in the future or more than 1,500 slots old"
    },
    {
      "code": 2100,
      "name": "topUpDepositOverflow",
      "msg": "the deposit would exceed 64 bits"
    },
    {
      "code": 2200,
      "name": "sealDeadlineOverflow",
      "msg": "the end of the grace period exceeds 64 bits"
    },
    {
      "code": 2201,
      "name": "sealGracePeriodNotElapsed",
      "msg": "the grace period has not ended"
    },
    {
      "code": 2300,
      "name": "payerAlreadyWithdrawn",
      "msg": "the payer's refund was already paid"
    },
    {
      "code": 2301,
      "name": "refundCalculationOverflow",
      "msg": "more is settled than was deposited"
    },
    {
      "code": 2400,
      "name": "channelNotDistributable",
      "msg": "a channel is settled while open or sealed only"
    },
    {
      "code": 2401,
      "name": "treasuryAccountMismatch",
      "msg": "the treasury's token account is not its associated token account, or it is not usable"
    },
    {
      "code": 2402,
      "name": "invalidTreasuryTokenAccount",
      "msg": "the treasury's token account is not a token account"
    },
    {
      "code": 2403,
      "name": "invalidTreasuryTokenExtensions",
      "msg": "the treasury's token account carries a Token-2022 extension that is not allowed"
    },
    {
      "code": 2404,
      "name": "recipientAccountMismatch",
      "msg": "a recipient's token account is not its associated token account"
    },
    {
      "code": 2405,
      "name": "invalidRecipientTokenAccount",
      "msg": "a recipient's token account is not a token account"
    },
    {
      "code": 2406,
      "name": "invalidRecipientTokenExtensions",
      "msg": "a recipient's token account carries malformed extensions"
    },
    {
      "code": 2407,
      "name": "invalidDistributionHash",
      "msg": "the splits are not those that the channel was opened with"
    },
    {
      "code": 2408,
      "name": "nothingToDistribute",
      "msg": "nothing was settled since the last payout"
    },
    {
      "code": 2409,
      "name": "recipientAccountCountMismatch",
      "msg": "one token account a recipient is needed, in the order of the splits"
    },
    {
      "code": 2410,
      "name": "distributePoolOverflow",
      "msg": "more is paid out than was settled"
    },
    {
      "code": 2411,
      "name": "distributeBalanceCalculationOverflow",
      "msg": "the escrow holds less than the channel owes"
    },
    {
      "code": 2412,
      "name": "rentPayerBalanceOverflow",
      "msg": "the rent payer's lamports would exceed 64 bits"
    },
    {
      "code": 2414,
      "name": "channelCloseTooEarly",
      "msg": "the channel's rent can be reclaimed only after slot open_slot + 1,500"
    },
    {
      "code": 7000,
      "name": "unknownInstruction",
      "msg": "no instruction has this first byte"
    },
    {
      "code": 7001,
      "name": "invalidInstructionData",
      "msg": "the instruction's data does not have the length or form that it must have"
    },
    {
      "code": 7002,
      "name": "channelOwnerMismatch",
      "msg": "the channel account does not belong to this program"
    },
    {
      "code": 7003,
      "name": "channelSizeMismatch",
      "msg": "the channel account does not have 256 bytes"
    },
    {
      "code": 7004,
      "name": "accountNotWritable",
      "msg": "an account of the channel that must be writable is not"
    },
    {
      "code": 7005,
      "name": "invalidProgramAccount",
      "msg": "a system program, sysvar or associated token program account is not the real one"
    },
    {
      "code": 7006,
      "name": "invalidInstructionsSysvar",
      "msg": "the instructions sysvar account is not the real one"
    },
    {
      "code": 7007,
      "name": "channelAlreadyExists",
      "msg": "something lives at the channel's address already"
    },
    {
      "code": 7008,
      "name": "channelInvariantViolated",
      "msg": "the channel's amounts contradict each other"
    },
    {
      "code": 7009,
      "name": "clockOutOfRange",
      "msg": "the time is before the Unix epoch or exceeds 64 bits"
    },
    {
      "code": 7020,
      "name": "invalidBatchCount",
      "msg": "a batch names between 1 and 60 channels"
    },
    {
      "code": 7021,
      "name": "batchNotSorted",
      "msg": "the channels of a batch must be in strictly rising order of their addresses"
    },
    {
      "code": 7022,
      "name": "batchChannelsMismatch",
      "msg": "the batch voucher was signed for another list of channels"
    },
    {
      "code": 7023,
      "name": "batchTargetZero",
      "msg": "a batch voucher names an amount of zero"
    },
    {
      "code": 7030,
      "name": "nothingToRearm",
      "msg": "there is nothing to pay out and nothing to refund"
    }
  ],
  "types": [
    {
      "name": "channel",
      "docs": [
        "One payment channel. Field order is the standard's byte layout; amounts are base units, times unix seconds.",
        "",
        "Always: `payout_watermark <= settled <= deposit`."
      ],
      "serialization": "bytemuckunsafe",
      "repr": {
        "kind": "c",
        "packed": true
      },
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "version",
            "docs": [
              "`CHANNEL_VERSION`."
            ],
            "type": "u8"
          },
          {
            "name": "bump",
            "docs": [
              "Canonical bump of the channel's address."
            ],
            "type": "u8"
          },
          {
            "name": "status",
            "docs": [
              "A `Status`."
            ],
            "type": "u8"
          },
          {
            "name": "salt",
            "docs": [
              "Chosen by the payer; a seed."
            ],
            "type": "u64"
          },
          {
            "name": "deposit",
            "docs": [
              "All that was ever deposited and not refunded by `rearm`."
            ],
            "type": "u64"
          },
          {
            "name": "settled",
            "docs": [
              "Cumulative amount that vouchers have authorized."
            ],
            "type": "u64"
          },
          {
            "name": "payoutWatermark",
            "docs": [
              "The part of `settled` that was paid out."
            ],
            "type": "u64"
          },
          {
            "name": "closureStartedAt",
            "docs": [
              "When the payer asked to leave; 0 unless closing."
            ],
            "type": "i64"
          },
          {
            "name": "payerWithdrawnAt",
            "docs": [
              "When the payer's refund was paid; 0 until then."
            ],
            "type": "i64"
          },
          {
            "name": "gracePeriod",
            "docs": [
              "Seconds from `revoke` to `seal`; never 0."
            ],
            "type": "u32"
          },
          {
            "name": "distributionHash",
            "docs": [
              "SHA-256 of the splits."
            ],
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          },
          {
            "name": "payer",
            "docs": [
              "Deposits, and gets the refund."
            ],
            "type": "pubkey"
          },
          {
            "name": "payee",
            "docs": [
              "Gets what the splits leave over."
            ],
            "type": "pubkey"
          },
          {
            "name": "authorizedSigner",
            "docs": [
              "Signs vouchers."
            ],
            "type": "pubkey"
          },
          {
            "name": "mint",
            "type": "pubkey"
          },
          {
            "name": "rentPayer",
            "docs": [
              "Paid the rent, and gets it back."
            ],
            "type": "pubkey"
          },
          {
            "name": "openSlot",
            "docs": [
              "Chosen by the payer, checked at `open`; a seed, so that no address holds two channels."
            ],
            "type": "u64"
          }
        ]
      }
    },
    {
      "name": "closeArgs",
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "hasVoucher",
            "docs": [
              "0: seal at the present watermark. Anything else: cash the voucher in the instruction before, first."
            ],
            "type": "u8"
          }
        ]
      }
    },
    {
      "name": "openArgs",
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "salt",
            "docs": [
              "Tells channels between the same parties apart."
            ],
            "type": "u64"
          },
          {
            "name": "deposit",
            "docs": [
              "Base units; not 0."
            ],
            "type": "u64"
          },
          {
            "name": "gracePeriod",
            "docs": [
              "Seconds between `revoke` and `seal`; not 0."
            ],
            "type": "u32"
          },
          {
            "name": "openSlot",
            "docs": [
              "A slot of the last 1,500; part of the address."
            ],
            "type": "u64"
          },
          {
            "name": "recipients",
            "type": {
              "vec": {
                "defined": {
                  "name": "split"
                }
              }
            }
          }
        ]
      }
    },
    {
      "name": "opened",
      "docs": [
        "A channel was opened."
      ],
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "channel",
            "type": "pubkey"
          },
          {
            "name": "openSlot",
            "type": "u64"
          }
        ]
      }
    },
    {
      "name": "payoutBeneficiary",
      "repr": {
        "kind": "rust"
      },
      "type": {
        "kind": "enum",
        "variants": [
          {
            "name": "recipient"
          },
          {
            "name": "payee"
          },
          {
            "name": "payer"
          }
        ]
      }
    },
    {
      "name": "payoutRedirected",
      "docs": [
        "A share, or the payer's refund, went to the treasury because its recipient's token account cannot be paid."
      ],
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "channel",
            "type": "pubkey"
          },
          {
            "name": "owner",
            "docs": [
              "Owner of the account that could not be paid."
            ],
            "type": "pubkey"
          },
          {
            "name": "amount",
            "docs": [
              "Base units."
            ],
            "type": "u64"
          },
          {
            "name": "beneficiary",
            "type": {
              "defined": {
                "name": "payoutBeneficiary"
              }
            }
          },
          {
            "name": "reason",
            "type": {
              "defined": {
                "name": "redirectReason"
              }
            }
          }
        ]
      }
    },
    {
      "name": "rearmArgs",
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "hasVoucher",
            "docs": [
              "As in `CloseArgs`."
            ],
            "type": "u8"
          },
          {
            "name": "recipients",
            "docs": [
              "The splits that the channel was opened with."
            ],
            "type": {
              "vec": {
                "defined": {
                  "name": "split"
                }
              }
            }
          }
        ]
      }
    },
    {
      "name": "rearmed",
      "docs": [
        "A channel was paid out and its unused deposit refunded; it stays open for the next session."
      ],
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "channel",
            "type": "pubkey"
          },
          {
            "name": "settled",
            "docs": [
              "The watermark at which the next session begins, in base units."
            ],
            "type": "u64"
          },
          {
            "name": "refunded",
            "docs": [
              "Base units that went back to the payer."
            ],
            "type": "u64"
          }
        ]
      }
    },
    {
      "name": "redirectReason",
      "repr": {
        "kind": "rust"
      },
      "type": {
        "kind": "enum",
        "variants": [
          {
            "name": "unsupportedExtension"
          },
          {
            "name": "closedOrMalformed"
          },
          {
            "name": "notInitialized"
          },
          {
            "name": "reassignedAuthority"
          }
        ]
      }
    },
    {
      "name": "settleArgs",
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "recipients",
            "docs": [
              "The splits that the channel was opened with."
            ],
            "type": {
              "vec": {
                "defined": {
                  "name": "split"
                }
              }
            }
          }
        ]
      }
    },
    {
      "name": "split",
      "docs": [
        "A share of what is settled: `bps` ten-thousandths to `recipient`."
      ],
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "recipient",
            "type": "pubkey"
          },
          {
            "name": "bps",
            "type": "u16"
          }
        ]
      }
    },
    {
      "name": "topupArgs",
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "amount",
            "docs": [
              "Base units; not 0."
            ],
            "type": "u64"
          }
        ]
      }
    }
  ],
  "constants": [
    {
      "name": "channelSeed",
      "docs": [
        "First seed of a channel: `[\"channel\", payer, payee, mint, authorized_signer, salt LE, open_slot LE]`."
      ],
      "type": "bytes",
      "value": "[99, 104, 97, 110, 110, 101, 108]"
    },
    {
      "name": "eventAuthoritySeed",
      "docs": [
        "Seed of the address that signs the events' self-CPI. The standard's clients derive it."
      ],
      "type": "bytes",
      "value": "[101, 118, 101, 110, 116, 95, 97, 117, 116, 104, 111, 114, 105, 116, 121]"
    },
    {
      "name": "maxBatch",
      "docs": [
        "Most channels that one batch voucher may name: what fits a transaction's 64 accounts."
      ],
      "type": "u8",
      "value": "60"
    },
    {
      "name": "maxSplits",
      "docs": [
        "Most recipients that a channel's splits may name, the payee not counted."
      ],
      "type": "u32",
      "value": "32"
    },
    {
      "name": "openSlotWindow",
      "docs": [
        "Slots between the `open_slot` a payer chose and the last slot in which `open` may land. The address of a",
        "channel can be freed only after the same window has passed, so no address ever holds two channels.",
        "",
        "May only ever be lowered. Raising it would let `open` reach addresses that were freed under the smaller",
        "window, and the vouchers signed for their earlier channel would be good again."
      ],
      "type": "u64",
      "value": "1500"
    },
    {
      "name": "treasury",
      "docs": [
        "Owner of the token accounts that receive rounding dust, donations to an escrow, and shares whose",
        "recipient cannot be paid."
      ],
      "type": "pubkey",
      "value": "8NCt6NsRtT38HCTARCoEmNoKM4F7vQ5J1onkVj9qAHFJ"
    }
  ]
};

/** The IDL as Anchor prints it. */
export const mppsolSessionIdl = {
  "address": "mpPyjEM3D1ZXmMCzX1m2VX7FmCfAdwvgvusATN239om",
  "metadata": {
    "name": "mppsol_session",
    "version": "0.1.0",
    "spec": "0.1.0",
    "description": "Payment channels for machine payments: the channel program of draft-solana-session-00, in Anchor"
  },
  "docs": [
    "A payer locks a deposit once and signs cumulative vouchers off chain; the payee cashes the last one."
  ],
  "instructions": [
    {
      "name": "close",
      "docs": [
        "Payee. Open or closing within grace → sealed, after one last voucher if there is one."
      ],
      "discriminator": [
        4
      ],
      "accounts": [
        {
          "name": "payee",
          "signer": true
        },
        {
          "name": "channel",
          "writable": true
        },
        {
          "name": "instructions_sysvar",
          "address": "Sysvar1nstructions1111111111111111111111111"
        }
      ],
      "args": [
        {
          "name": "args",
          "type": {
            "defined": {
              "name": "CloseArgs"
            }
          }
        }
      ]
    },
    {
      "name": "debit",
      "docs": [
        "Anyone, with a voucher in the Ed25519 instruction right before. Raises the watermark; no tokens move."
      ],
      "discriminator": [
        2
      ],
      "accounts": [
        {
          "name": "channel",
          "writable": true
        },
        {
          "name": "instructions_sysvar",
          "address": "Sysvar1nstructions1111111111111111111111111"
        }
      ],
      "args": []
    },
    {
      "name": "debit_batch",
      "docs": [
        "Anyone, with a batch voucher in the Ed25519 instruction right before. Raises the watermarks of up to 60",
        "channels of one signer, which follow as remaining accounts in rising order of their addresses."
      ],
      "discriminator": [
        32
      ],
      "accounts": [
        {
          "name": "instructions_sysvar",
          "address": "Sysvar1nstructions1111111111111111111111111"
        }
      ],
      "args": []
    },
    {
      "name": "open",
      "docs": [
        "Payer and rent payer sign. Nothing → open. Creates the channel and its escrow and moves the deposit in."
      ],
      "discriminator": [
        1
      ],
      "accounts": [
        {
          "name": "payer",
          "writable": true,
          "signer": true
        },
        {
          "name": "rent_payer",
          "writable": true,
          "signer": true
        },
        {
          "name": "payee"
        },
        {
          "name": "mint"
        },
        {
          "name": "authorized_signer"
        },
        {
          "name": "channel",
          "writable": true
        },
        {
          "name": "payer_token_account",
          "writable": true
        },
        {
          "name": "channel_token_account",
          "writable": true
        },
        {
          "name": "token_program"
        },
        {
          "name": "system_program",
          "address": "11111111111111111111111111111111"
        },
        {
          "name": "rent",
          "address": "SysvarRent111111111111111111111111111111111"
        },
        {
          "name": "associated_token_program",
          "address": "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL"
        },
        {
          "name": "event_authority",
          "address": "14chA41z5zaw2QkEJ3fEbCLyGZHYFZr13RDNFKSrkp8K"
        },
        {
          "name": "self_program",
          "address": "mpPyjEM3D1ZXmMCzX1m2VX7FmCfAdwvgvusATN239om"
        }
      ],
      "args": [
        {
          "name": "args",
          "type": {
            "defined": {
              "name": "OpenArgs"
            }
          }
        }
      ]
    },
    {
      "name": "rearm",
      "docs": [
        "Payee. Open → open. Pays everyone, refunds the unspent deposit, and keeps the channel for the next session."
      ],
      "discriminator": [
        33
      ],
      "accounts": [
        {
          "name": "payee",
          "signer": true
        },
        {
          "name": "channel",
          "writable": true
        },
        {
          "name": "channel_token_account",
          "writable": true
        },
        {
          "name": "payer_token_account",
          "writable": true
        },
        {
          "name": "payee_token_account",
          "writable": true
        },
        {
          "name": "mint"
        },
        {
          "name": "token_program"
        },
        {
          "name": "instructions_sysvar",
          "address": "Sysvar1nstructions1111111111111111111111111"
        },
        {
          "name": "event_authority",
          "address": "14chA41z5zaw2QkEJ3fEbCLyGZHYFZr13RDNFKSrkp8K"
        },
        {
          "name": "self_program",
          "address": "mpPyjEM3D1ZXmMCzX1m2VX7FmCfAdwvgvusATN239om"
        }
      ],
      "args": [
        {
          "name": "args",
          "type": {
            "defined": {
              "name": "RearmArgs"
            }
          }
        }
      ]
    },
    {
      "name": "reclaim",
      "docs": [
        "Anyone. Distributed → gone, after slot open_slot + 1,500. Returns the rent to who paid it."
      ],
      "discriminator": [
        9
      ],
      "accounts": [
        {
          "name": "channel",
          "writable": true
        },
        {
          "name": "rent_payer",
          "writable": true
        }
      ],
      "args": []
    },
    {
      "name": "revoke",
      "docs": [
        "Payer. Open → closing. Starts the grace period."
      ],
      "discriminator": [
        5
      ],
      "accounts": [
        {
          "name": "payer",
          "signer": true
        },
        {
          "name": "channel",
          "writable": true
        }
      ],
      "args": []
    },
    {
      "name": "seal",
      "docs": [
        "Anyone. Closing → sealed, after the grace period."
      ],
      "discriminator": [
        6
      ],
      "accounts": [
        {
          "name": "channel",
          "writable": true
        }
      ],
      "args": []
    },
    {
      "name": "settle",
      "docs": [
        "Anyone. Pays recipients and payee; from sealed also refunds the payer and closes the escrow. The recipients'",
        "associated token accounts follow as remaining accounts, in the order of the splits."
      ],
      "discriminator": [
        7
      ],
      "accounts": [
        {
          "name": "channel",
          "writable": true
        },
        {
          "name": "payer",
          "writable": true
        },
        {
          "name": "rent_payer",
          "writable": true
        },
        {
          "name": "channel_token_account",
          "writable": true
        },
        {
          "name": "payer_token_account",
          "writable": true
        },
        {
          "name": "payee_token_account",
          "writable": true
        },
        {
          "name": "treasury_token_account",
          "writable": true
        },
        {
          "name": "mint"
        },
        {
          "name": "token_program"
        },
        {
          "name": "event_authority",
          "address": "14chA41z5zaw2QkEJ3fEbCLyGZHYFZr13RDNFKSrkp8K"
        },
        {
          "name": "self_program",
          "address": "mpPyjEM3D1ZXmMCzX1m2VX7FmCfAdwvgvusATN239om"
        }
      ],
      "args": [
        {
          "name": "args",
          "type": {
            "defined": {
              "name": "SettleArgs"
            }
          }
        }
      ]
    },
    {
      "name": "topup",
      "docs": [
        "Payer. Open → open. Adds to the deposit."
      ],
      "discriminator": [
        3
      ],
      "accounts": [
        {
          "name": "payer",
          "writable": true,
          "signer": true
        },
        {
          "name": "channel",
          "writable": true
        },
        {
          "name": "payer_token_account",
          "writable": true
        },
        {
          "name": "channel_token_account",
          "writable": true
        },
        {
          "name": "mint"
        },
        {
          "name": "token_program"
        }
      ],
      "args": [
        {
          "name": "args",
          "type": {
            "defined": {
              "name": "TopupArgs"
            }
          }
        }
      ]
    },
    {
      "name": "withdraw_payer",
      "docs": [
        "Payer. Sealed → sealed. Refunds the payer, once."
      ],
      "discriminator": [
        8
      ],
      "accounts": [
        {
          "name": "payer",
          "signer": true
        },
        {
          "name": "channel",
          "writable": true
        },
        {
          "name": "channel_token_account",
          "writable": true
        },
        {
          "name": "payer_token_account",
          "writable": true
        },
        {
          "name": "mint"
        },
        {
          "name": "token_program"
        }
      ],
      "args": []
    }
  ],
  "accounts": [
    {
      "name": "Channel",
      "discriminator": [
        1
      ]
    }
  ],
  "events": [
    {
      "name": "Opened",
      "discriminator": [
        166,
        172,
        97,
        9,
        77,
        76,
        189,
        109
      ]
    },
    {
      "name": "PayoutRedirected",
      "discriminator": [
        209,
        22,
        185,
        215,
        84,
        167,
        84,
        80
      ]
    },
    {
      "name": "Rearmed",
      "discriminator": [
        92,
        235,
        218,
        245,
        226,
        172,
        66,
        155
      ]
    }
  ],
  "errors": [
    {
      "code": 1,
      "name": "MissingRequiredSignature",
      "msg": "a signature is missing"
    },
    {
      "code": 2,
      "name": "InvalidChannelStatus",
      "msg": "the channel's status does not allow this"
    },
    {
      "code": 3,
      "name": "InvalidAccountDiscriminator",
      "msg": "the account is not a channel"
    },
    {
      "code": 4,
      "name": "UnsupportedChannelVersion",
      "msg": "the channel has a layout version that this program does not know"
    },
    {
      "code": 5,
      "name": "InvalidChannelPayer",
      "msg": "the account is not the channel's payer"
    },
    {
      "code": 6,
      "name": "InvalidChannelPayee",
      "msg": "the account is not the channel's payee"
    },
    {
      "code": 7,
      "name": "InvalidChannelMint",
      "msg": "the account is not the channel's mint"
    },
    {
      "code": 8,
      "name": "InvalidEventAuthority",
      "msg": "the event authority or the program account is wrong"
    },
    {
      "code": 9,
      "name": "NotEnoughAccountKeys",
      "msg": "the instruction takes another number of accounts"
    },
    {
      "code": 10,
      "name": "InvalidChannelRentPayer",
      "msg": "the account is not the channel's rent payer"
    },
    {
      "code": 50,
      "name": "ChannelAccountMismatch",
      "msg": "the escrow is not the channel's associated token account, or it is not usable"
    },
    {
      "code": 51,
      "name": "InvalidChannelTokenAccount",
      "msg": "the escrow is not a token account"
    },
    {
      "code": 52,
      "name": "InvalidChannelTokenExtensions",
      "msg": "the escrow carries a Token-2022 extension that is not allowed"
    },
    {
      "code": 53,
      "name": "MintAccountMismatch",
      "msg": "the mint is not a mint of the given token program"
    },
    {
      "code": 54,
      "name": "InvalidMintTokenProgram",
      "msg": "the token program is neither SPL Token nor Token-2022"
    },
    {
      "code": 55,
      "name": "MalformedMintTokenAccountData",
      "msg": "the mint's data is malformed"
    },
    {
      "code": 56,
      "name": "MalformedMintTokenExtensions",
      "msg": "the mint carries a Token-2022 extension that is not allowed"
    },
    {
      "code": 57,
      "name": "PayerAccountMismatch",
      "msg": "the payer's token account is not its associated token account, or it is not usable"
    },
    {
      "code": 58,
      "name": "InvalidPayerTokenAccount",
      "msg": "the payer's token account is not a token account"
    },
    {
      "code": 59,
      "name": "InvalidPayerTokenExtensions",
      "msg": "the payer's token account carries a Token-2022 extension that is not allowed"
    },
    {
      "code": 60,
      "name": "PayeeAccountMismatch",
      "msg": "the payee's token account is not its associated token account"
    },
    {
      "code": 61,
      "name": "InvalidPayeeTokenAccount",
      "msg": "the payee's token account is not a token account"
    },
    {
      "code": 62,
      "name": "InvalidPayeeTokenExtensions",
      "msg": "the payee's token account carries malformed extensions"
    },
    {
      "code": 200,
      "name": "DepositMustBeNonZero",
      "msg": "an amount of zero was given"
    },
    {
      "code": 201,
      "name": "GracePeriodMustBeNonZero",
      "msg": "the grace period is zero"
    },
    {
      "code": 230,
      "name": "MissingEd25519Verification",
      "msg": "the instruction before this one is not an Ed25519 verification"
    },
    {
      "code": 231,
      "name": "MalformedEd25519Instruction",
      "msg": "the Ed25519 instruction does not have the canonical layout"
    },
    {
      "code": 232,
      "name": "VoucherChannelMismatch",
      "msg": "the voucher names another channel"
    },
    {
      "code": 233,
      "name": "VoucherExpired",
      "msg": "the voucher has expired"
    },
    {
      "code": 234,
      "name": "VoucherWatermarkNotMonotonic",
      "msg": "the voucher's amount is not above what is settled"
    },
    {
      "code": 235,
      "name": "VoucherOverDeposit",
      "msg": "the voucher's amount is above the deposit"
    },
    {
      "code": 237,
      "name": "VoucherSignerMismatch",
      "msg": "the voucher is signed by another key than the channel's authorized signer"
    },
    {
      "code": 238,
      "name": "VoucherBadMagic",
      "msg": "the signed message is not a voucher of this version"
    },
    {
      "code": 260,
      "name": "InvalidRecipientCount",
      "msg": "more recipients than a channel may have"
    },
    {
      "code": 261,
      "name": "InvalidSplitConfig",
      "msg": "a share is zero, the shares exceed 10,000, or the channel itself is a recipient"
    },
    {
      "code": 263,
      "name": "DuplicateRecipient",
      "msg": "a recipient is named twice"
    },
    {
      "code": 2000,
      "name": "ChannelAddressMismatch",
      "msg": "the channel is not at the address that its seeds derive"
    },
    {
      "code": 2001,
      "name": "PayerPayeeMustDiffer",
      "msg": "payer and payee are the same account"
    },
    {
      "code": 2002,
      "name": "InvalidAuthorizedSigner",
      "msg": "the authorized signer cannot have signed anything: not a canonical curve point of full order"
    },
    {
      "code": 2003,
      "name": "OpenSlotOutOfWindow",
      "msg": "open_slot is in the future or more than 1,500 slots old"
    },
    {
      "code": 2100,
      "name": "TopUpDepositOverflow",
      "msg": "the deposit would exceed 64 bits"
    },
    {
      "code": 2200,
      "name": "SealDeadlineOverflow",
      "msg": "the end of the grace period exceeds 64 bits"
    },
    {
      "code": 2201,
      "name": "SealGracePeriodNotElapsed",
      "msg": "the grace period has not ended"
    },
    {
      "code": 2300,
      "name": "PayerAlreadyWithdrawn",
      "msg": "the payer's refund was already paid"
    },
    {
      "code": 2301,
      "name": "RefundCalculationOverflow",
      "msg": "more is settled than was deposited"
    },
    {
      "code": 2400,
      "name": "ChannelNotDistributable",
      "msg": "a channel is settled while open or sealed only"
    },
    {
      "code": 2401,
      "name": "TreasuryAccountMismatch",
      "msg": "the treasury's token account is not its associated token account, or it is not usable"
    },
    {
      "code": 2402,
      "name": "InvalidTreasuryTokenAccount",
      "msg": "the treasury's token account is not a token account"
    },
    {
      "code": 2403,
      "name": "InvalidTreasuryTokenExtensions",
      "msg": "the treasury's token account carries a Token-2022 extension that is not allowed"
    },
    {
      "code": 2404,
      "name": "RecipientAccountMismatch",
      "msg": "a recipient's token account is not its associated token account"
    },
    {
      "code": 2405,
      "name": "InvalidRecipientTokenAccount",
      "msg": "a recipient's token account is not a token account"
    },
    {
      "code": 2406,
      "name": "InvalidRecipientTokenExtensions",
      "msg": "a recipient's token account carries malformed extensions"
    },
    {
      "code": 2407,
      "name": "InvalidDistributionHash",
      "msg": "the splits are not those that the channel was opened with"
    },
    {
      "code": 2408,
      "name": "NothingToDistribute",
      "msg": "nothing was settled since the last payout"
    },
    {
      "code": 2409,
      "name": "RecipientAccountCountMismatch",
      "msg": "one token account a recipient is needed, in the order of the splits"
    },
    {
      "code": 2410,
      "name": "DistributePoolOverflow",
      "msg": "more is paid out than was settled"
    },
    {
      "code": 2411,
      "name": "DistributeBalanceCalculationOverflow",
      "msg": "the escrow holds less than the channel owes"
    },
    {
      "code": 2412,
      "name": "RentPayerBalanceOverflow",
      "msg": "the rent payer's lamports would exceed 64 bits"
    },
    {
      "code": 2414,
      "name": "ChannelCloseTooEarly",
      "msg": "the channel's rent can be reclaimed only after slot open_slot + 1,500"
    },
    {
      "code": 7000,
      "name": "UnknownInstruction",
      "msg": "no instruction has this first byte"
    },
    {
      "code": 7001,
      "name": "InvalidInstructionData",
      "msg": "the instruction's data does not have the length or form that it must have"
    },
    {
      "code": 7002,
      "name": "ChannelOwnerMismatch",
      "msg": "the channel account does not belong to this program"
    },
    {
      "code": 7003,
      "name": "ChannelSizeMismatch",
      "msg": "the channel account does not have 256 bytes"
    },
    {
      "code": 7004,
      "name": "AccountNotWritable",
      "msg": "an account of the channel that must be writable is not"
    },
    {
      "code": 7005,
      "name": "InvalidProgramAccount",
      "msg": "a system program, sysvar or associated token program account is not the real one"
    },
    {
      "code": 7006,
      "name": "InvalidInstructionsSysvar",
      "msg": "the instructions sysvar account is not the real one"
    },
    {
      "code": 7007,
      "name": "ChannelAlreadyExists",
      "msg": "something lives at the channel's address already"
    },
    {
      "code": 7008,
      "name": "ChannelInvariantViolated",
      "msg": "the channel's amounts contradict each other"
    },
    {
      "code": 7009,
      "name": "ClockOutOfRange",
      "msg": "the time is before the Unix epoch or exceeds 64 bits"
    },
    {
      "code": 7020,
      "name": "InvalidBatchCount",
      "msg": "a batch names between 1 and 60 channels"
    },
    {
      "code": 7021,
      "name": "BatchNotSorted",
      "msg": "the channels of a batch must be in strictly rising order of their addresses"
    },
    {
      "code": 7022,
      "name": "BatchChannelsMismatch",
      "msg": "the batch voucher was signed for another list of channels"
    },
    {
      "code": 7023,
      "name": "BatchTargetZero",
      "msg": "a batch voucher names an amount of zero"
    },
    {
      "code": 7030,
      "name": "NothingToRearm",
      "msg": "there is nothing to pay out and nothing to refund"
    }
  ],
  "types": [
    {
      "name": "Channel",
      "docs": [
        "One payment channel. Field order is the standard's byte layout; amounts are base units, times unix seconds.",
        "",
        "Always: `payout_watermark <= settled <= deposit`."
      ],
      "serialization": "bytemuckunsafe",
      "repr": {
        "kind": "c",
        "packed": true
      },
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "version",
            "docs": [
              "`CHANNEL_VERSION`."
            ],
            "type": "u8"
          },
          {
            "name": "bump",
            "docs": [
              "Canonical bump of the channel's address."
            ],
            "type": "u8"
          },
          {
            "name": "status",
            "docs": [
              "A `Status`."
            ],
            "type": "u8"
          },
          {
            "name": "salt",
            "docs": [
              "Chosen by the payer; a seed."
            ],
            "type": "u64"
          },
          {
            "name": "deposit",
            "docs": [
              "All that was ever deposited and not refunded by `rearm`."
            ],
            "type": "u64"
          },
          {
            "name": "settled",
            "docs": [
              "Cumulative amount that vouchers have authorized."
            ],
            "type": "u64"
          },
          {
            "name": "payout_watermark",
            "docs": [
              "The part of `settled` that was paid out."
            ],
            "type": "u64"
          },
          {
            "name": "closure_started_at",
            "docs": [
              "When the payer asked to leave; 0 unless closing."
            ],
            "type": "i64"
          },
          {
            "name": "payer_withdrawn_at",
            "docs": [
              "When the payer's refund was paid; 0 until then."
            ],
            "type": "i64"
          },
          {
            "name": "grace_period",
            "docs": [
              "Seconds from `revoke` to `seal`; never 0."
            ],
            "type": "u32"
          },
          {
            "name": "distribution_hash",
            "docs": [
              "SHA-256 of the splits."
            ],
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          },
          {
            "name": "payer",
            "docs": [
              "Deposits, and gets the refund."
            ],
            "type": "pubkey"
          },
          {
            "name": "payee",
            "docs": [
              "Gets what the splits leave over."
            ],
            "type": "pubkey"
          },
          {
            "name": "authorized_signer",
            "docs": [
              "Signs vouchers."
            ],
            "type": "pubkey"
          },
          {
            "name": "mint",
            "type": "pubkey"
          },
          {
            "name": "rent_payer",
            "docs": [
              "Paid the rent, and gets it back."
            ],
            "type": "pubkey"
          },
          {
            "name": "open_slot",
            "docs": [
              "Chosen by the payer, checked at `open`; a seed, so that no address holds two channels."
            ],
            "type": "u64"
          }
        ]
      }
    },
    {
      "name": "CloseArgs",
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "has_voucher",
            "docs": [
              "0: seal at the present watermark. Anything else: cash the voucher in the instruction before, first."
            ],
            "type": "u8"
          }
        ]
      }
    },
    {
      "name": "OpenArgs",
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "salt",
            "docs": [
              "Tells channels between the same parties apart."
            ],
            "type": "u64"
          },
          {
            "name": "deposit",
            "docs": [
              "Base units; not 0."
            ],
            "type": "u64"
          },
          {
            "name": "grace_period",
            "docs": [
              "Seconds between `revoke` and `seal`; not 0."
            ],
            "type": "u32"
          },
          {
            "name": "open_slot",
            "docs": [
              "A slot of the last 1,500; part of the address."
            ],
            "type": "u64"
          },
          {
            "name": "recipients",
            "type": {
              "vec": {
                "defined": {
                  "name": "Split"
                }
              }
            }
          }
        ]
      }
    },
    {
      "name": "Opened",
      "docs": [
        "A channel was opened."
      ],
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "channel",
            "type": "pubkey"
          },
          {
            "name": "open_slot",
            "type": "u64"
          }
        ]
      }
    },
    {
      "name": "PayoutBeneficiary",
      "repr": {
        "kind": "rust"
      },
      "type": {
        "kind": "enum",
        "variants": [
          {
            "name": "Recipient"
          },
          {
            "name": "Payee"
          },
          {
            "name": "Payer"
          }
        ]
      }
    },
    {
      "name": "PayoutRedirected",
      "docs": [
        "A share, or the payer's refund, went to the treasury because its recipient's token account cannot be paid."
      ],
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "channel",
            "type": "pubkey"
          },
          {
            "name": "owner",
            "docs": [
              "Owner of the account that could not be paid."
            ],
            "type": "pubkey"
          },
          {
            "name": "amount",
            "docs": [
              "Base units."
            ],
            "type": "u64"
          },
          {
            "name": "beneficiary",
            "type": {
              "defined": {
                "name": "PayoutBeneficiary"
              }
            }
          },
          {
            "name": "reason",
            "type": {
              "defined": {
                "name": "RedirectReason"
              }
            }
          }
        ]
      }
    },
    {
      "name": "RearmArgs",
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "has_voucher",
            "docs": [
              "As in `CloseArgs`."
            ],
            "type": "u8"
          },
          {
            "name": "recipients",
            "docs": [
              "The splits that the channel was opened with."
            ],
            "type": {
              "vec": {
                "defined": {
                  "name": "Split"
                }
              }
            }
          }
        ]
      }
    },
    {
      "name": "Rearmed",
      "docs": [
        "A channel was paid out and its unused deposit refunded; it stays open for the next session."
      ],
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "channel",
            "type": "pubkey"
          },
          {
            "name": "settled",
            "docs": [
              "The watermark at which the next session begins, in base units."
            ],
            "type": "u64"
          },
          {
            "name": "refunded",
            "docs": [
              "Base units that went back to the payer."
            ],
            "type": "u64"
          }
        ]
      }
    },
    {
      "name": "RedirectReason",
      "repr": {
        "kind": "rust"
      },
      "type": {
        "kind": "enum",
        "variants": [
          {
            "name": "UnsupportedExtension"
          },
          {
            "name": "ClosedOrMalformed"
          },
          {
            "name": "NotInitialized"
          },
          {
            "name": "ReassignedAuthority"
          }
        ]
      }
    },
    {
      "name": "SettleArgs",
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "recipients",
            "docs": [
              "The splits that the channel was opened with."
            ],
            "type": {
              "vec": {
                "defined": {
                  "name": "Split"
                }
              }
            }
          }
        ]
      }
    },
    {
      "name": "Split",
      "docs": [
        "A share of what is settled: `bps` ten-thousandths to `recipient`."
      ],
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "recipient",
            "type": "pubkey"
          },
          {
            "name": "bps",
            "type": "u16"
          }
        ]
      }
    },
    {
      "name": "TopupArgs",
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "amount",
            "docs": [
              "Base units; not 0."
            ],
            "type": "u64"
          }
        ]
      }
    }
  ],
  "constants": [
    {
      "name": "CHANNEL_SEED",
      "docs": [
        "First seed of a channel: `[\"channel\", payer, payee, mint, authorized_signer, salt LE, open_slot LE]`."
      ],
      "type": "bytes",
      "value": "[99, 104, 97, 110, 110, 101, 108]"
    },
    {
      "name": "EVENT_AUTHORITY_SEED",
      "docs": [
        "Seed of the address that signs the events' self-CPI. The standard's clients derive it."
      ],
      "type": "bytes",
      "value": "[101, 118, 101, 110, 116, 95, 97, 117, 116, 104, 111, 114, 105, 116, 121]"
    },
    {
      "name": "MAX_BATCH",
      "docs": [
        "Most channels that one batch voucher may name: what fits a transaction's 64 accounts."
      ],
      "type": "u8",
      "value": "60"
    },
    {
      "name": "MAX_SPLITS",
      "docs": [
        "Most recipients that a channel's splits may name, the payee not counted."
      ],
      "type": "u32",
      "value": "32"
    },
    {
      "name": "OPEN_SLOT_WINDOW",
      "docs": [
        "Slots between the `open_slot` a payer chose and the last slot in which `open` may land. The address of a",
        "channel can be freed only after the same window has passed, so no address ever holds two channels.",
        "",
        "May only ever be lowered. Raising it would let `open` reach addresses that were freed under the smaller",
        "window, and the vouchers signed for their earlier channel would be good again."
      ],
      "type": "u64",
      "value": "1500"
    },
    {
      "name": "TREASURY",
      "docs": [
        "Owner of the token accounts that receive rounding dust, donations to an escrow, and shares whose",
        "recipient cannot be paid."
      ],
      "type": "pubkey",
      "value": "8NCt6NsRtT38HCTARCoEmNoKM4F7vQ5J1onkVj9qAHFJ"
    }
  ]
};
