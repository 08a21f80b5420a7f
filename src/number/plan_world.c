/* SPDX-License-Identifier: Apache-2.0 */
#include "number_int.h"

/*
 * Other countries in reasonable depth, from their regulators' public plans. A country that is not
 * here at all, or has a row for "", gives NUM_UNKNOWN for what no row describes; any other gives
 * NUM_INVALID.
 */
#define ROW(code, kind, minimum, maximum, prefixes)                   \
    {                                                                 \
        (code), NUM_##kind, (minimum), (maximum), 0, (prefixes), NULL \
    }
#define SERVICE(code, minimum, maximum, prefixes)                                      \
    {                                                                                  \
        (code), NUM_SERVICE, (minimum), (maximum), NUM_RANGE_SERVICE, (prefixes), NULL \
    }
#define NANP(prefixes)                                                    \
    {                                                                     \
        1, NUM_FIXED_OR_MOBILE, 10, 10, NUM_RANGE_AREA3, (prefixes), NULL \
    }

const struct num_range_row num_world_rows[] = {
    /* North America: area codes in service (US and Canada, then the islands). */
    NANP("20[1-9] 21[02-9] 22[03-9] 23[1459] 236 24[089] 25[0-467] 26[02379] 27[0246] 279 28[139]"),
    NANP("30[1-9] 31[02-9] 32[0134-79] 33[0-24679] 34[1367] 35[0-47] 36[013-57-9] 38[025-7]"),
    NANP("40[1-9] 41[02-9] 42[3458] 43[0-24-8] 44[023578] 45[078] 46[3489] 47[0-245] 478 479"),
    NANP("48[034]"),
    NANP("50[1-9] 51[02-9] 520 53[0149] 54[018] 55[179] 56[1-478] 57[0-5] 579 58[0124-7]"),
    NANP("60[1-9] 61[02-9] 62[013468] 629 63[0169] 64[01567] 65[0167] 659 66[01279] 67[28] 679"),
    NANP("68[0-36] 689 70[1-9] 71[2-9] 72[04-9] 73[0-2478] 74[02378] 75[347] 76[0235] 769"),
    NANP("77[0-5] 77[89] 78[0-2] 78[56] 80[1-8] 81[02-9] 82[0158] 826 83[0-2] 835 83[7-9]"),
    NANP("84[03578] 85[046-9] 86[0-57] 87[0238] 879"),
    NANP("90[1-9] 91[02-9] 92[04589] 93[0146-8] 94[0-357-9] 95[12469] 97[0-35] 97[89] 98[034-69]"),
    NANP("242 246 264 268 284 340 345 441 473 649 658 664 67[01] 684 721 758 767 784 787 809 829 "
         "849"),
    NANP("868 869 876 939"),
    ROW(1, TOLLFREE, 10, 10, "800 833 844 855 866 877 888"),
    ROW(1, PREMIUM, 10, 10, "900"),
    ROW(1, VOIP, 10, 10, "500 52[1-9] 533 544 566 577 588 600 622 710"),

    /* United Kingdom and the Crown dependencies. */
    ROW(44, FIXED, 9, 10, "[12]"),
    ROW(44, SHARED, 10, 10, "3 84 87"),
    ROW(44, SHARED, 7, 7, "845"),
    ROW(44, VOIP, 10, 10, "55 56 70"),
    ROW(44, MOBILE, 10, 10, "7[1-57-9] 7624"),
    ROW(44, UNKNOWN, 10, 10, "76"), /* pagers */
    ROW(44, TOLLFREE, 7, 10, "80[08]"),
    ROW(44, PREMIUM, 10, 10, "9"),

    ROW(49, FIXED, 5, 13, "[2-9]"),
    ROW(49, MOBILE, 10, 11, "15 16[023] 17"),
    ROW(49, UNKNOWN, 8, 9, "16"),         /* pagers */
    ROW(49, UNKNOWN, 12, 13, "15 16 17"), /* mailboxes */
    ROW(49, TOLLFREE, 7, 13, "800"),
    ROW(49, PREMIUM, 10, 11, "900"),
    ROW(49, PREMIUM, 8, 10, "137"),
    ROW(49, SHARED, 6, 13, "18"),
    ROW(49, VOIP, 9, 12, "32 700"),
    SERVICE(49, 5, 6, "118"),

    ROW(33, FIXED, 9, 9, "[1-5]"),
    ROW(33, MOBILE, 9, 9, "6 7[3-9]"),
    ROW(33, DATA, 9, 13, "70"),
    ROW(33, TOLLFREE, 9, 9, "80"),
    ROW(33, SHARED, 9, 9, "8[1246-8]"),
    ROW(33, PREMIUM, 9, 9, "89"),
    ROW(33, VOIP, 9, 9, "9"),

    ROW(39, FIXED, 6, 12, "0"), /* the zero belongs to the number */
    ROW(39, MOBILE, 9, 11, "3"),
    ROW(39, TOLLFREE, 6, 9, "80"),
    ROW(39, SHARED, 6, 12, "84 178 199"),
    ROW(39, PREMIUM, 6, 10, "89"),
    ROW(39, VOIP, 10, 10, "55"),

    ROW(34, FIXED, 9, 9, "8[1-8] 9[1-8]"),
    ROW(34, MOBILE, 9, 9, "6 7[1-4]"),
    ROW(34, TOLLFREE, 9, 9, "[89]00"),
    ROW(34, PREMIUM, 9, 9, "80[367] 905"),
    ROW(34, SHARED, 9, 9, "90[12]"),
    ROW(34, VOIP, 9, 9, "51 70"),
    ROW(34, DATA, 13, 13, "59"),

    ROW(31, FIXED, 9, 9, "[1-57]"),
    ROW(31, MOBILE, 9, 9, "6[1-58]"),
    ROW(31, DATA, 11, 11, "97"),
    ROW(31, VOIP, 9, 9, "8[458] 91"),
    ROW(31, TOLLFREE, 7, 10, "800"),
    ROW(31, PREMIUM, 7, 10, "90[069]"),
    ROW(31, UNKNOWN, 9, 9, "66"), /* pagers */
    SERVICE(31, 5, 6, "14"),

    /* Russia 3, 4, 8, 9; Kazakhstan 6 and 7. */
    ROW(7, FIXED, 10, 10, "[348] 71 72"),
    ROW(7, MOBILE, 10, 10, "9 70 747 7[5-7]"),
    ROW(7, VOIP, 10, 10, "751"),
    ROW(7, TOLLFREE, 10, 14, "800"),
    ROW(7, PREMIUM, 10, 10, "80[39]"),

    ROW(81, FIXED, 9, 9, "[1-9]"),
    ROW(81, MOBILE, 10, 10, "[6-9]0"),
    ROW(81, VOIP, 10, 10, "50"),
    ROW(81, DATA, 10, 13, "20"),
    ROW(81, TOLLFREE, 9, 9, "120"),
    ROW(81, TOLLFREE, 10, 10, "800"),
    ROW(81, SHARED, 9, 9, "570"),
    ROW(81, PREMIUM, 9, 9, "990"),

    ROW(82, FIXED, 8, 9, "2"),
    ROW(82, FIXED, 8, 10, "3[1-3] 4[1-4] 5[1-5] 6[1-4]"),
    ROW(82, MOBILE, 9, 10, "1[016-9]"),
    ROW(82, VOIP, 10, 10, "70"),
    ROW(82, VOIP, 10, 11, "50"),
    ROW(82, TOLLFREE, 9, 11, "80"),
    ROW(82, PREMIUM, 9, 9, "60"),
    ROW(82, SHARED, 8, 8, "1[568]"),

    ROW(852, FIXED, 8, 8, "[23]"),
    ROW(852, MOBILE, 8, 8, "[4-79] 8[4-9]"),
    ROW(852, VOIP, 8, 8, "8[1-3]"),
    ROW(852, TOLLFREE, 9, 9, "800"),
    ROW(852, PREMIUM, 5, 11, "900"),

    ROW(853, FIXED, 8, 8, "28 8"),
    ROW(853, MOBILE, 8, 8, "6"),
    ROW(853, TOLLFREE, 7, 7, "0800"),

    ROW(886, FIXED, 8, 9, "[2-8]"),
    ROW(886, FIXED, 9, 10, "37 49"),
    ROW(886, MOBILE, 9, 9, "9"),
    ROW(886, VOIP, 9, 11, "70"),
    ROW(886, TOLLFREE, 8, 9, "80[0-79]"),
    ROW(886, PREMIUM, 7, 9, "20"),
    ROW(886, VOIP, 9, 9, "50"),

    ROW(66, FIXED, 8, 8, "[2-57]"),
    ROW(66, MOBILE, 9, 9, "[689]"),
    ROW(66, VOIP, 9, 9, "60"),
    ROW(66, TOLLFREE, 10, 13, "1800 001800"),
    ROW(66, PREMIUM, 10, 10, "1900"),
    SERVICE(66, 4, 4, "1[1-7]"),

    ROW(65, FIXED, 8, 8, "6"),
    ROW(65, MOBILE, 8, 8, "[89]"),
    ROW(65, VOIP, 8, 8, "3"),
    ROW(65, TOLLFREE, 10, 11, "800 1800"),
    ROW(65, PREMIUM, 11, 11, "1900"),
    ROW(65, SHARED, 11, 11, "7000"),

    ROW(60, FIXED, 9, 9, "3"),
    ROW(60, FIXED, 8, 8, "[4-79] 8[02-9]"),
    ROW(60, MOBILE, 9, 10, "1[0-46-9]"),
    ROW(60, VOIP, 10, 10, "15"),
    ROW(60, TOLLFREE, 8, 10, "1[38]00"),
    ROW(60, PREMIUM, 10, 10, "1600"),

    ROW(84, FIXED, 10, 10, "2"),
    ROW(84, MOBILE, 9, 9, "[35789]"),
    ROW(84, VOIP, 9, 9, "67"),
    ROW(84, TOLLFREE, 7, 10, "1[28]0"),
    ROW(84, PREMIUM, 8, 10, "1900"),

    ROW(63, FIXED, 8, 10, "[2-8]"),
    ROW(63, MOBILE, 10, 10, "9"),
    ROW(63, TOLLFREE, 11, 13, "1800"),

    ROW(62, FIXED, 7, 11, "[2-79]"),
    ROW(62, MOBILE, 9, 12, "8"),
    ROW(62, TOLLFREE, 8, 13, "800 00[17]803"),
    ROW(62, PREMIUM, 10, 10, "809"),

    ROW(95, FIXED, 6, 9, "[1-8]"),
    ROW(95, MOBILE, 7, 10, "9"),
    ROW(95, TOLLFREE, 10, 10, "800"),

    ROW(855, FIXED, 8, 9, "2[3-6] 3[2-6] 4[2-4] 5[2-5] 6[2-5] 7[2-5]"),
    ROW(855, MOBILE, 8, 9, "1[0-9] 3[18] 6[016-9] 7[016-9] [89]"),
    ROW(855, TOLLFREE, 10, 10, "1800"),
    ROW(855, PREMIUM, 10, 10, "1900"),

    ROW(856, FIXED, 8, 8, "[2-8]"),
    ROW(856, FIXED, 9, 9, "30"),
    ROW(856, MOBILE, 10, 10, "20"),

    ROW(91, MOBILE, 10, 10, "[6-9]"),
    ROW(91, FIXED, 10, 10, "[1-5] 6[1-7]"),
    ROW(91, SERVICE, 10, 10, "140 160"), /* telemarketing, and calls of banks and authorities */
    ROW(91, TOLLFREE, 10, 13, "1800 1600 000800"),
    ROW(91, SHARED, 11, 11, "1860"),
    ROW(91, PREMIUM, 13, 13, "186"),
    ROW(91, DATA, 13, 13, "5"),

    ROW(61, FIXED, 9, 9, "[2378]"),
    ROW(61, MOBILE, 9, 9, "4"),
    ROW(61, VOIP, 9, 9, "14 55"),
    ROW(61, UNKNOWN, 7, 9, "16"), /* pagers */
    ROW(61, TOLLFREE, 10, 10, "1800"),
    ROW(61, TOLLFREE, 7, 7, "180"),
    ROW(61, SHARED, 10, 10, "1300 1345"),
    ROW(61, SHARED, 6, 8, "13"),
    ROW(61, PREMIUM, 10, 10, "190"),

    /* In outline. */
    ROW(64, UNKNOWN, 4, 10, ""),
    ROW(64, FIXED, 8, 8, "[34679]"),
    ROW(64, MOBILE, 8, 10, "2"),
    ROW(92, UNKNOWN, 8, 12, ""),
    ROW(92, MOBILE, 10, 10, "3"),
    ROW(880, UNKNOWN, 6, 10, ""),
    ROW(880, MOBILE, 10, 10, "1[3-9]"),
    ROW(94, FIXED, 9, 9, "[1-689]"),
    ROW(94, MOBILE, 9, 9, "7"),
    ROW(971, UNKNOWN, 5, 12, ""),
    ROW(971, FIXED, 8, 8, "[2-4679]"),
    ROW(971, MOBILE, 9, 9, "5"),
    ROW(966, UNKNOWN, 7, 10, ""),
    ROW(966, MOBILE, 9, 9, "5"),
    ROW(90, UNKNOWN, 7, 13, ""),
    ROW(90, FIXED, 10, 10, "[2-4]"),
    ROW(90, MOBILE, 10, 10, "5"),
    ROW(234, UNKNOWN, 7, 14, ""),
    ROW(234, MOBILE, 10, 10, "[789][01]"),
    ROW(27, UNKNOWN, 5, 10, ""),
    ROW(27, FIXED, 9, 9, "[1-5]"),
    ROW(27, MOBILE, 9, 9, "[678]"),
    ROW(27, TOLLFREE, 9, 9, "80"),
    ROW(27, SHARED, 9, 9, "86"),
    ROW(27, VOIP, 9, 9, "87"),
    ROW(55, UNKNOWN, 8, 12, ""),
    ROW(55, FIXED, 10, 10, "[1-9][1-9]"),
    ROW(55, MOBILE, 11, 11, "[1-9][1-9]"),
    ROW(52, FIXED_OR_MOBILE, 10, 10, "[2-9]"),
    ROW(52, TOLLFREE, 10, 10, "800"),
    ROW(52, PREMIUM, 10, 10, "900"),
    ROW(48, UNKNOWN, 6, 10, ""),
    ROW(48, MOBILE, 9, 9, "45 5[0137] 6[069] 7[2389] 88"),
    ROW(46, UNKNOWN, 6, 12, ""),
    ROW(46, MOBILE, 9, 9, "7[02369]"),
    ROW(41, UNKNOWN, 9, 12, ""),
    ROW(41, FIXED, 9, 9, "[2-6]"),
    ROW(41, MOBILE, 9, 9, "7[5-9]"),
    ROW(32, UNKNOWN, 8, 10, ""),
    ROW(32, FIXED, 8, 8, "[1-9]"),
    ROW(32, MOBILE, 9, 9, "4[5-9]"),
    ROW(32, TOLLFREE, 8, 8, "800"),
    ROW(32, PREMIUM, 8, 8, "90"),
    ROW(380, UNKNOWN, 9, 10, ""),
    ROW(380, MOBILE, 9, 9, "39 50 6[36-8] 7[357] 9[1-9]"),
    ROW(976, FIXED, 8, 10, "[1257]"),
    ROW(976, MOBILE, 8, 8, "[689] 5[05]"),
    ROW(850, UNKNOWN, 6, 10, ""),
    ROW(850, MOBILE, 10, 10, "19[1-3]"),

    /* No country's own. */
    ROW(800, TOLLFREE, 8, 8, ""),
    ROW(808, SHARED, 8, 8, ""),
    ROW(870, SATELLITE, 9, 12, ""),
    ROW(878, VOIP, 8, 12, ""),
    ROW(881, SATELLITE, 6, 12, ""),
    ROW(882, UNKNOWN, 7, 12, ""),
    ROW(883, UNKNOWN, 7, 12, ""),
    ROW(888, UNKNOWN, 6, 12, ""),
    ROW(979, PREMIUM, 9, 9, ""),
};
const size_t num_world_count = sizeof(num_world_rows) / sizeof(num_world_rows[0]);
