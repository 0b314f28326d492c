// Names of the classes of published weights for segmentation and detection.
#include "fovea/core/text.h"
#include "fovea/weights/pretrained.h"

namespace fovea {

const std::vector<std::string>& voc_classes() {
  static const std::vector<std::string> classes = split(
      "background,aeroplane,bicycle,bird,boat,bottle,bus,car,cat,chair,cow,diningtable,dog,horse,"
      "motorbike,person,pottedplant,sheep,sofa,train,tvmonitor",
      ',');
  return classes;
}

const std::vector<std::string>& coco_classes() {
  static const std::vector<std::string> classes = split(
      "person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,"
      "street sign,stop sign,parking meter,bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,"
      "giraffe,hat,backpack,umbrella,shoe,eye glasses,handbag,tie,suitcase,frisbee,skis,snowboard,"
      "sports ball,kite,baseball bat,baseball glove,skateboard,surfboard,tennis racket,bottle,"
      "plate,wine glass,cup,fork,knife,spoon,bowl,banana,apple,sandwich,orange,broccoli,carrot,"
      "hot dog,pizza,donut,cake,chair,couch,potted plant,bed,mirror,dining table,window,desk,"
      "toilet,door,tv,laptop,mouse,remote,keyboard,cell phone,microwave,oven,toaster,sink,"
      "refrigerator,blender,book,clock,vase,scissors,teddy bear,hair drier,toothbrush",
      ',');
  return classes;
}

}  // namespace fovea
