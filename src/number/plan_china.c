/* SPDX-License-Identifier: Apache-2.0 */
#include "number_int.h"

/*
 * China: the national numbering plan for public networks (MIIT, 2017 edition and later allotments).
 *
 * Area codes are written without the trunk prefix 0. Cities merged into a neighbour's area
 * (Kaifeng, Fushun, Zunyi, Laiwu, ...) have lost their own code and are not listed.
 */
#define ROW(kind, minimum, maximum, flags, prefixes, region)                \
    {                                                                       \
        86, NUM_##kind, (minimum), (maximum), (flags), (prefixes), (region) \
    }

#define MOBILE(prefixes)         ROW(MOBILE, 11, 11, 0, prefixes, NULL)
#define SERVICE(min, max, codes) ROW(SERVICE, min, max, NUM_RANGE_SERVICE, codes, NULL)
/* A place with a two- or three-digit area code and local numbers of seven or eight digits. */
#define CITY(prefixes, region)  ROW(FIXED, 10, 10, NUM_RANGE_AREA2, prefixes, region)
#define AREA8(prefixes, region) ROW(FIXED, 11, 11, NUM_RANGE_AREA3, prefixes, region)
#define AREA7(prefixes, region) ROW(FIXED, 10, 10, NUM_RANGE_AREA3, prefixes, region)
/* Local numbers are being lengthened, or differ within the area. */
#define AREA78(prefixes, region) ROW(FIXED, 10, 11, NUM_RANGE_AREA3, prefixes, region)

const struct num_range_row num_china_rows[] = {
    /* Mobile segments. 154, 160, 161 but 1610, 163, 164, 168, 169, 179 and 194 are not allotted. */
    MOBILE("13"),
    MOBILE("14[579]"),
    MOBILE("15[0-35-9]"),
    MOBILE("1610 166"),
    ROW(MOBILE, 11, 11, NUM_RANGE_VIRTUAL, "16[257] 17[01]", NULL),
    MOBILE("17[235-8]"),
    MOBILE("18"),
    MOBILE("19[0-35-9]"),
    ROW(SATELLITE, 11, 11, 0, "1349 174", NULL),
    /* Internet of things: 11 or 13 digits, and 13 digits inside 106. */
    ROW(DATA, 11, 13, 0, "14[01468]", NULL),
    ROW(DATA, 13, 13, 0, "1064[6-9]", NULL),

    /* Services. 106 with ten digits would be a Beijing line (010 6...), so it is read as one. */
    SERVICE(3, 3, "110 112 114 117 119 12[0-2] 999"),
    SERVICE(5, 6, "100"),
    SERVICE(5, 5, "101[5-9]"),
    SERVICE(8, 8, "1010"),
    SERVICE(8, 9, "106"),
    SERVICE(11, 16, "106"),
    SERVICE(5, 5, "111"),
    SERVICE(5, 6, "11[68]"),
    SERVICE(5, 6, "12[13-9]"),
    SERVICE(5, 5, "179"),
    SERVICE(5, 6, "95[0-46-9]"),
    SERVICE(5, 5, "955"),
    SERVICE(7, 13, "950"), /* call centres may lengthen their code */
    SERVICE(7, 8, "95[12]"),
    SERVICE(5, 6, "96"),
    ROW(PREMIUM, 5, 8, NUM_RANGE_SERVICE, "16[08]", NULL),
    ROW(SHARED, 10, 10, NUM_RANGE_SERVICE, "400", NULL),
    ROW(TOLLFREE, 10, 10, NUM_RANGE_SERVICE, "800", NULL),

    /* Places. */
    CITY("10", "Beijing"),
    CITY("20", "Guangdong"),
    CITY("21", "Shanghai"),
    CITY("22", "Tianjin"),
    CITY("23", "Chongqing"),
    CITY("24", "Liaoning"),
    CITY("25", "Jiangsu"),
    CITY("27", "Hubei"),
    CITY("28", "Sichuan"),
    CITY("29", "Shaanxi"),
    AREA8("311", "Hebei"),
    AREA7("310 31[2-9] 335", "Hebei"),
    AREA7("349 35[0-9]", "Shanxi"),
    AREA8("371 377 379", "Henan"),
    AREA7("37[02-6] 39[1-68]", "Henan"),
    AREA8("411", "Liaoning"),
    AREA7("41[24-9] 42[179]", "Liaoning"),
    AREA8("431 432", "Jilin"),
    AREA78("433 435", "Jilin"),
    AREA7("434 43[6-9]", "Jilin"),
    AREA8("451", "Heilongjiang"),
    AREA7("45[2-9] 46[4789]", "Heilongjiang"),
    AREA7("47[0-9] 48[23]", "Inner Mongolia"),
    AREA8("51[0-9] 523 527", "Jiangsu"),
    AREA8("531 532", "Shandong"),
    AREA7("530 53[3-9] 543 546 63[1-35]", "Shandong"),
    AREA8("551", "Anhui"),
    AREA7("550 55[2-9] 56[1-46]", "Anhui"),
    AREA8("571 57[3-7] 579", "Zhejiang"),
    AREA7("57[028] 580", "Zhejiang"),
    AREA8("591 595", "Fujian"),
    AREA7("59[2-46-9]", "Fujian"),
    AREA7("71[0-9] 72[248]", "Hubei"),
    AREA8("731", "Hunan"),
    AREA7("730 73[4-9] 74[3-6]", "Hunan"),
    AREA8("75[57] 760 769", "Guangdong"),
    AREA78("754", "Guangdong"),
    AREA7("66[0238] 75[0-3689] 76[2368]", "Guangdong"),
    AREA7("77[0-9]", "Guangxi"),
    AREA8("791", "Jiangxi"),
    AREA7("701 790 79[2-9]", "Jiangxi"),
    AREA7("81[23678] 82[567] 83[0-9]", "Sichuan"),
    AREA78("851", "Guizhou"),
    AREA7("85[4-9]", "Guizhou"),
    AREA8("871", "Yunnan"),
    AREA7("69[12] 870 87[2-9] 88[3678]", "Yunnan"),
    AREA7("89[1-7]", "Tibet"),
    AREA8("898", "Hainan"),
    AREA7("91[1-79]", "Shaanxi"),
    AREA7("93[0-9] 94[13]", "Gansu"),
    AREA7("95[1-5]", "Ningxia"),
    AREA7("97[0-79]", "Qinghai"),
    AREA7("90[123689] 99[0-35-9]", "Xinjiang"),
    AREA78("994", "Xinjiang"),
};
const size_t num_china_count = sizeof(num_china_rows) / sizeof(num_china_rows[0]);
